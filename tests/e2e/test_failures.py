"""What a bad ImageBuild becomes: a reason, the thing it is about, and the next step."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.conftest import Repository
from e2e.story import WAITS, Story
from testbed import registry

pytestmark = pytest.mark.cluster

DISCARD: dict[str, Any] = {"output": {"discard": True}}


def test_a_dockerfile_that_cannot_be_read_names_the_line(story: Story) -> None:
    story.apply({"dockerfile": {"inline": "FROM busybox:1.37\nCOPI a b\n"}, **DISCARD})
    failure = story.fails("DockerfileInvalid")["failure"]
    assert failure["line"] == 2
    assert "COPI" in failure["message"]


def test_a_failing_step_gives_its_line_exit_code_and_last_words(story: Story) -> None:
    dockerfile = "FROM busybox:1.37\nRUN true\nRUN echo the last words && exit 42\n"
    story.apply({"dockerfile": {"inline": dockerfile}, **DISCARD})
    failure = story.fails("StepFailed")["failure"]
    assert (failure["line"], failure["exitCode"]) == (3, 42)
    assert "RUN echo the last words" in failure["step"]
    assert "the last words" in failure["logTail"]
    assert failure["nextStep"]
    assert len(story.pods()) == 1, "a fault of the user is not tried again"


def test_a_loud_step_is_heard_to_its_end(story: Story) -> None:
    loud = "yes a line of a verbose test | head -c 3000000; echo the last words; exit 42"
    story.apply({"dockerfile": {"inline": f"FROM busybox:1.37\nRUN {loud}\n"}, **DISCARD})
    assert story.fails("StepFailed")["failure"]["logTail"].endswith("the last words")


def test_a_file_that_is_not_in_the_source_is_named(story: Story) -> None:
    story.apply({"dockerfile": {"inline": "FROM busybox:1.37\nCOPY nothing.txt /\n"}, **DISCARD})
    assert "nothing.txt" in story.fails("FileNotFound")["message"]


@pytest.mark.parametrize(
    "git",
    [
        pytest.param({"branch": "no-such-branch"}, id="branch"),
        pytest.param({"tag": "v9"}, id="tag"),
        pytest.param({"commit": "0123456789" * 4}, id="commit"),
    ],
)
def test_a_revision_that_the_repository_does_not_have_is_named(
    story: Story, repository: Repository, git: dict[str, str]
) -> None:
    repository.commit({"Dockerfile": "FROM scratch\n"})
    story.apply({"source": {"git": {"url": repository.url, **git}}, **DISCARD})
    (wanted,) = git.values()
    assert wanted in story.fails("RevisionNotFound")["message"]


def test_a_wrong_password_is_told_from_other_failures_and_final(story: Story) -> None:
    story.kubectl.apply(registry.login_secret(story.place, "push", password="not-the-password"))
    images = {"images": [story.private_image()]}
    story.apply(story.inline(WAITS, output=images, registrySecrets=[{"name": "push"}]))
    status = story.fails("RegistryUnauthorized")
    assert story.place.private_registry in status["message"]
    assert "not-the-password" not in str(status)


def test_a_push_without_credentials_is_refused_before_a_step_runs(story: Story) -> None:
    story.apply(story.inline(WAITS, output={"images": [story.private_image()]}))
    status = story.fails("RegistryUnauthorized")
    assert f"no Secret in registrySecrets is for {story.place.private_registry}" in status["message"]


def test_a_base_image_that_does_not_exist_is_named(story: Story) -> None:
    story.apply({"dockerfile": {"inline": f"FROM {story.place.registry}/none/such:1\nRUN true\n"}, **DISCARD})
    assert "none/such" in story.fails("ImageNotFound")["message"]


def test_a_missing_secret_is_named_and_waited_for(story: Story) -> None:
    images = {"images": [story.private_image()]}
    story.apply(story.inline(output=images, registrySecrets=[{"name": "later"}]))
    waiting = story.reaches(reason="SecretMissing")
    assert waiting["phase"] == "Pending"
    assert "later" in waiting["message"]
    story.kubectl.apply(registry.login_secret(story.place, "later"))
    status = story.succeeds()
    assert status["failures"] == 0, "waiting costs no attempt"
    assert registry.manifest(story.place, story.private_image()) is not None


def test_a_missing_config_map_is_named_and_waited_for(story: Story) -> None:
    story.apply({"source": {"configMap": {"name": "later"}}, **DISCARD})
    assert "later" in story.reaches(reason="ConfigMapMissing")["message"]
    data = {"Dockerfile": "FROM busybox:1.37\nRUN true\n"}
    story.kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "later"}, "data": data})
    story.succeeds()


def test_a_build_that_takes_longer_than_its_timeout_is_stopped_and_its_log_stays(story: Story) -> None:
    dockerfile = "FROM busybox:1.37\nRUN echo begun && sleep 86400\n"
    story.apply({"dockerfile": {"inline": dockerfile}, "timeouts": {"build": "20s"}, **DISCARD})
    status = story.fails("TimedOut")
    assert "timeouts.build" in status["failure"]["nextStep"]
    assert "begun" in story.kubectl("logs", status["podName"])


def test_a_pod_that_no_node_can_take_waits_with_the_words_of_the_scheduler(story: Story) -> None:
    story.apply(story.inline(pod={"resources": {"requests": {"cpu": "900"}}}))
    status = story.reaches(reason="Unschedulable")
    assert "cpu" in status["message"]
    assert status["phase"] == "Pending"


def test_a_quota_without_room_is_waited_for(story: Story) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    story.kubectl.apply(quota)
    story.kubectl("wait", "--for=jsonpath={.status.hard.pods}=0", "resourcequota/none", "--timeout=30s")
    story.apply(story.inline())
    assert "none" in story.reaches(reason="QuotaExceeded")["message"]
