"""What a good ImageBuild becomes: an image in a registry, and a status that says so."""

from __future__ import annotations

import pytest

from e2e.conftest import Repository
from e2e.story import Story
from testbed import registry
from testbed.kubectl import until

pytestmark = pytest.mark.cluster

FILES = {
    "services/api/Dockerfile": "FROM busybox:1.37\nCOPY message /message\nRUN cat /message > /copy\n",
    "services/api/message": "hello\n",
}


@pytest.mark.parametrize(
    "suffix",
    [
        pytest.param("-rootless", id="as an ordinary user"),
        pytest.param("-usernsmasked", id="in a user namespace"),
        pytest.param("-userns", id="in a user namespace with the process sandbox"),
    ],
)
def test_each_isolation_mode_builds_and_pushes_at_pod_security_baseline(story: Story, suffix: str) -> None:
    story.apply(story.inline())
    status = story.succeeds()
    found = registry.manifest(story.place, story.image())
    assert found is not None
    assert status["output"]["digest"] == found[0]
    assert status["output"]["images"] == [story.image()]
    assert f"-{status['effective']['isolation'].lower()}" == suffix


def test_its_steps_are_events(story: Story) -> None:
    story.apply(story.inline())
    story.succeeds()
    selector = "--field-selector=involvedObject.kind=ImageBuild,involvedObject.name=app"
    found = until("both events", lambda: len(events := story.kubectl.items("events", selector)) > 1 and events)
    told = {event["reason"]: event for event in found}
    assert told.keys() == {"Building", "Built"}
    assert told["Built"]["message"] == story.status()["message"]
    assert told["Built"]["type"] == "Normal"


def test_a_commit_of_a_branch_is_built_with_its_placeholders_filled(story: Story, repository: Repository) -> None:
    commit = repository.commit(FILES, branch="feature/A")
    story.apply(
        {
            "source": {"git": {"url": repository.url, "branch": "feature/A"}, "path": "services/api"},
            "output": {"images": [story.image("{commit}"), story.image("{branch}-{shortCommit}-r{run}")]},
        }
    )
    status = story.succeeds()
    assert status["source"] == {"commit": commit, "branch": "feature/A"}
    assert status["output"]["images"] == [story.image(commit), story.image(f"feature-a-{commit[:12]}-r1")]
    for image in status["output"]["images"]:
        assert registry.manifest(story.place, image) is not None, image


def test_a_pinned_commit_is_built_whatever_the_branch_points_to(story: Story, repository: Repository) -> None:
    pinned = repository.commit(FILES)
    repository.commit({"services/api/message": "later\n"})
    git = {"url": repository.url, "branch": "main", "commit": pinned}
    story.apply({"source": {"git": git, "path": "services/api"}, "output": {"images": [story.image("{commit}")]}})
    assert story.succeeds()["source"]["commit"] == pinned


def test_a_config_map_is_a_source(story: Story) -> None:
    data = {"Dockerfile": "FROM busybox:1.37\nCOPY word /word\nRUN grep -q here /word\n", "word": "here"}
    story.kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "context"}, "data": data})
    story.apply({"source": {"configMap": {"name": "context"}}, "output": {"discard": True}})
    assert "digest" not in story.succeeds()["output"]


def test_a_private_registry_takes_the_image_with_its_secret_and_its_certificate_authority(story: Story) -> None:
    story.kubectl.apply(registry.login_secret(story.place, "push"))
    images = {"images": [story.private_image()]}
    story.apply(story.inline(output=images, registrySecrets=[{"name": "push"}]))
    status = story.succeeds()
    found = registry.manifest(story.place, story.private_image())
    assert found is not None
    assert status["output"]["digest"] == found[0]
    assert status["cache"]["export"]["ref"].startswith(story.private_image().rpartition(":")[0] + ":buildcache-")


def test_only_the_target_stage_is_built(story: Story) -> None:
    dockerfile = "FROM busybox:1.37 AS good\nRUN true\nFROM busybox:1.37\nRUN false\n"
    story.apply({"dockerfile": {"inline": dockerfile, "target": "good"}, "output": {"discard": True}})
    story.succeeds()


def test_a_new_branch_starts_from_the_cache_of_the_base_branch_and_then_has_its_own(
    story: Story, repository: Repository
) -> None:
    repository.commit(
        {"Dockerfile": "FROM busybox:1.37\nRUN echo slow > /a\nCOPY file /file\nRUN cat /file > /b\n", "file": "1"}
    )

    def build(branch: str) -> dict[str, object]:
        git = {"url": repository.url, "branch": branch}
        story.apply({"source": {"git": git}, "output": {"images": [story.image("{branch}")]}}, name=branch)
        cache: dict[str, object] = story.succeeds(branch)["cache"]
        return cache

    assert build("main")["summary"] == "0/3"
    repository.commit({"file": "2"}, branch="topic")
    first = build("topic")
    assert first["summary"] == "1/3"
    assert [entry["result"] for entry in first["imports"]] == ["NotFound", "Found"]  # type: ignore[attr-defined]
    story.kubectl("delete", "imagebuild", "topic")
    again = build("topic")
    assert again["summary"] == "3/3"
    assert [entry["result"] for entry in again["imports"]] == ["Found"]  # type: ignore[attr-defined]
