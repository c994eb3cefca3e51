"""An application with a build in it, as Argo CD syncs it: waves, self-heal, pruning, by its own code (hack/gitops)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from e2e.story import FIVE_STEPS, WAITS, Story
from testbed.deploy import NAMESPACE, without_operator
from testbed.gitops import Application, ended
from testbed.kubectl import Document, until

pytestmark = [pytest.mark.cluster, pytest.mark.thorough, pytest.mark.xdist_group("operator")]

WAVE = "argocd.argoproj.io/sync-wave"
AFTER = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "after", "annotations": {WAVE: "1"}}}


def build(story: Story, dockerfile: str, **more: Any) -> Document:
    return {
        "apiVersion": "imagebuild.dev/v1alpha1",
        "kind": "ImageBuild",
        "metadata": {"name": "app", "annotations": {WAVE: "0"}},
        "spec": story.inline(dockerfile, output={"discard": True}, timeouts={"build": "30m"}, **more),
    }


@pytest.fixture(params=[(), ("--server-side",)], ids=["client-side", "server-side"])
def application(story: Story, tmp_path: Path, request: pytest.FixtureRequest) -> Application:
    made = Application(story.kubectl, tmp_path, *request.param)
    made.write("build", build(story, WAITS))
    made.write("after", AFTER)
    return made


def test_what_comes_after_a_build_waits_for_it_and_then_nothing_differs(story: Story, application: Application) -> None:
    syncing = application.begins()
    until("the sync to apply the build", lambda: there(story, "imagebuild", "app"))
    pod = story.reaches(phase="Running")["podName"]
    story.sleeps(pod)
    assert not there(story, "configmap", "after")
    assert syncing.poll() is None
    story.release(pod)
    first = ended(syncing)
    assert first[:2] == (["ConfigMap/after", "ImageBuild/app"], "Succeeded")
    assert there(story, "configmap", "after")

    assert application.looks() == ([], "", "")
    before = story.kubectl.get("imagebuild", "app")
    assert application.looks("--always").phase == "Succeeded"
    assert story.kubectl.get("imagebuild", "app") == before, "the same again changes nothing"

    story.kubectl("annotate", "imagebuild", "app", "imagebuild.dev/cancel=1")
    assert application.looks().out_of_sync == []
    story.kubectl("patch", "imagebuild", "app", "--type=merge", '--patch={"spec": {"timeouts": {"build": "1m"}}}')
    assert application.looks()[:2] == (["ImageBuild/app"], "Succeeded")
    healed = story.kubectl.get("imagebuild", "app")
    assert healed["spec"]["timeouts"] == {"build": "30m"}
    assert healed["metadata"]["annotations"]["imagebuild.dev/cancel"] == "1"

    with without_operator(story.kubectl.within(NAMESPACE)):
        pass
    story.apply(story.inline(output={"discard": True}), name="new")
    story.succeeds("new")
    assert application.looks().out_of_sync == []
    assert story.status()["run"]["number"] == 1
    assert pods(story) == [pod]

    application.write("build", None)
    assert application.looks()[:2] == (["ImageBuild/app"], "Succeeded")
    assert not there(story, "imagebuild", "app")
    until("its pod to be gone", lambda: not pods(story))


def test_what_comes_after_a_build_that_fails_is_not_applied_until_git_has_a_better_one(
    story: Story, application: Application
) -> None:
    application.write("build", build(story, "FROM busybox:1.37\nRUN false\n"))
    first = application.looks()
    assert first.phase == "Failed"
    assert not there(story, "configmap", "after")
    application.write("build", build(story, FIVE_STEPS))
    assert application.looks()[:2] == (["ConfigMap/after", "ImageBuild/app"], "Succeeded")
    assert (story.status()["phase"], story.status()["run"]["number"]) == ("Succeeded", 2)


def there(story: Story, kind: str, name: str) -> bool:
    return bool(story.kubectl("get", kind, name, "--ignore-not-found", "-o", "name"))


def pods(story: Story) -> list[str]:
    """Of the application's build."""
    names = [pod["metadata"]["name"] for pod in story.pods()]
    return [name for name in names if name.startswith("app-")]
