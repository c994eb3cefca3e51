"""From the version before to this one and back: what runs keeps its pod, what is over stays over, nothing builds twice.

Each is installed by its own checkout, as docs/install.md says. CRD and operator are the whole cluster's.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from e2e.story import WAITS, Story
from localcluster import pins
from testbed import previous
from testbed.deploy import NAMESPACE, deploy, overlay, rolled_out
from testbed.kubectl import Document, Kubectl, KubectlError, until
from testbed.place import ROOT
from testbed.previous import Previous

pytestmark = [pytest.mark.cluster, pytest.mark.disruptive]

ONE_BY_ONE: Document = {"concurrency": {"group": "app", "policy": "Serial"}}
OVER = ("succeeded", "failed")


@pytest.fixture
def before(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Previous]:
    """In the cluster until the end of the test."""
    found = previous.checked_out(pins.load().previous, tmp_path_factory.mktemp("previous"))
    try:
        found.hack("deploy")
        yield found
    finally:
        deploy(kubectl, tmp_path_factory.mktemp("overlay"))


@pytest.fixture
def now(kubectl: Kubectl, tmp_path: Path) -> Path:
    """An overlay of this version."""
    overlay(kubectl.place, tmp_path / "overlay")
    return tmp_path / "overlay"


def test_builds_survive_an_upgrade_and_the_way_back(
    before: Previous, now: Path, kubectl: Kubectl, new_namespace: Callable[[str], Kubectl]
) -> None:
    story, newer = Story(new_namespace("")), Story(new_namespace("-userns"))
    running = in_every_phase(story)
    left = {name: story.kubectl.get("imagebuild", name) for name in OVER}

    operator_alone(kubectl, now)
    until("the new operator to say that it needs its CRD", lambda: lacks_the_crd(kubectl))
    build(story, "meanwhile")
    story.succeeds("meanwhile")
    kubectl("apply", "--server-side", "--force-conflicts", "-k", str(ROOT / "crds"))
    rolled_out(kubectl)
    assert_only_what_is_new_begins(story, "upgraded")
    goes_on(story, running)
    story.succeeds("queued")

    build(story, "running-again", WAITS)
    again = story.reaches("running-again", phase="Running")
    operator_alone(kubectl, before.overlay)
    rolled_out(kubectl)
    assert_only_what_is_new_begins(story, "downgraded")
    goes_on(story, again, "running-again")
    build(newer, "newer", trust="Untrusted")
    newer.reaches("newer", reason="OperatorTooOld")

    deploy(kubectl, now)
    build(story, "suspended", suspend=False)
    story.succeeds("suspended")
    newer.succeeds("newer")
    assert {name: story.kubectl.get("imagebuild", name) for name in OVER} == left
    assert runs(story) == dict.fromkeys(runs(story), 1)
    assert len(story.pods()) == len(runs(story)), "one for each run of each build"


def build(story: Story, name: str, dockerfile: str = "FROM busybox:1.37\nRUN true\n", **more: Any) -> None:
    story.apply(story.inline(dockerfile, output={"discard": True}, **more), name)


def in_every_phase(story: Story) -> Document:
    """The status of the one that runs."""
    build(story, "succeeded")
    build(story, "failed", "FROM busybox:1.37\nRUN false\n")
    story.succeeds("succeeded")
    story.fails("StepFailed", "failed")
    build(story, "suspended", suspend=True)
    build(story, "running", WAITS, **ONE_BY_ONE)
    running = story.reaches("running", phase="Running")
    build(story, "queued", **ONE_BY_ONE)
    story.reaches("queued", reason="Queued")
    story.reaches("suspended", reason="Suspended")
    return running


def operator_alone(kubectl: Kubectl, directory: Path) -> None:
    """All of an overlay but the CRD."""
    documents = yaml.safe_load_all(kubectl("kustomize", str(directory)))
    kubectl.apply(*(document for document in documents if document["kind"] != "CustomResourceDefinition"))


def lacks_the_crd(kubectl: Kubectl) -> bool:
    words = ("logs", "--selector=app.kubernetes.io/name=imagebuild-operator", "--tail=-1")
    try:
        said = kubectl.within(NAMESPACE)(*words)
    except KubectlError:  # its container is being made
        return False
    return "the CRD is older than this operator and lacks " in said


def assert_only_what_is_new_begins(story: Story, name: str) -> None:
    """Since the operators of now have started; the new one is behind all that they found."""
    build(story, name)
    story.succeeds(name)
    assert created_pods(story.kubectl.within(NAMESPACE)) == 1


def created_pods(kubectl: Kubectl) -> float:
    pods = kubectl.items("pods", "--selector=app.kubernetes.io/name=imagebuild-operator")
    names = [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    wanted = {"verb": "create", "resource": "pods"}
    return sum(
        sample.value
        for name in names
        for family in text_string_to_metric_families(metrics(kubectl, name))
        for sample in family.samples
        if sample.name == "imagebuild_api_requests_total" and sample.labels.items() >= wanted.items()
    )


def metrics(kubectl: Kubectl, pod: str) -> str:
    with (
        kubectl.forward(f"pod/{pod}", 8080) as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer,
    ):
        return str(answer.read().decode())


def goes_on(story: Story, running: Document, name: str = "running") -> None:
    story.release(running["podName"])
    status = story.succeeds(name)
    found = (status["podUID"], status["attempt"], status["failures"])
    assert found == (running["podUID"], 1, 0)


def runs(story: Story) -> dict[str, int]:
    return {each["metadata"]["name"]: each["status"]["run"]["number"] for each in story.kubectl.items("imagebuilds")}
