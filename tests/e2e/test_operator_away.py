"""Builds go on without the operator, and the operator goes on where it was. These tests take it away, one by one.

All other tests wait for it meanwhile. It may have one replica or several.
"""

from __future__ import annotations

from collections import Counter

import pytest

from e2e.story import WAITS, Story
from testbed.deploy import DEPLOYMENT, NAMESPACE, without_operator
from testbed.kubectl import Document, Kubectl, until
from testbed.place import Place

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("operator")]

KILL = """
import os, pathlib, signal, sys, time
def operators():
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\\0")
        except OSError:
            continue
        if b"imagebuild.controller" in words:
            yield int(process.name)
while len(found := list(operators())) < int(sys.argv[1]):  # one may just be starting
    time.sleep(0.2)
for process in found:
    os.kill(process, signal.SIGKILL)
"""


def test_an_operator_killed_in_the_middle_of_a_build_goes_on_with_the_same_pod(story: Story) -> None:
    before = _restarts(story)
    story.apply(story.inline(WAITS))
    running = story.reaches(phase="Running")
    _kill_operator(story)
    until("the operator to be started again", lambda: _started_again(story, before), seconds=240)
    story.release(running["podName"])
    status = story.succeeds()
    assert (len(story.pods()), status["attempt"], status["failures"]) == (1, 1, 0)


def test_a_pod_that_ends_while_the_operator_is_down_is_reported_later(story: Story) -> None:
    story.apply(story.inline(WAITS))
    running = story.reaches(phase="Running")
    with without_operator(story.kubectl.within(NAMESPACE)):
        story.release(running["podName"])
        until("the build pod to end", lambda: story.pods()[0]["status"]["phase"] == "Succeeded", seconds=120)
        assert story.status()["phase"] == "Running"
    status = story.succeeds()
    assert (len(story.pods()), status["attempt"]) == (1, 1)


def test_a_pod_deleted_while_the_operator_is_down_is_lost_and_the_next_attempt_builds(story: Story) -> None:
    story.apply(story.inline(WAITS))
    first = story.reaches(phase="Running")
    with without_operator(story.kubectl.within(NAMESPACE)):
        story.kubectl("delete", "pod", first["podName"], "--grace-period=0", "--force")
        until("the build pod to be gone", lambda: not story.pods())
    second = story.reaches(phase="Running", attempt=2)
    assert second["podName"] != first["podName"]
    story.release(second["podName"])
    status = story.succeeds()
    assert (status["attempt"], status["failures"]) == (2, 1)


def test_a_build_applied_while_the_operator_is_down_is_built_when_it_is_back(story: Story) -> None:
    with without_operator(story.kubectl.within(NAMESPACE)):
        story.apply(story.inline())
    story.succeeds()


@pytest.mark.parametrize("how", [["--grace-period=0", "--force"], ["--grace-period=30"]], ids=["killed", "stopped"])
def test_when_the_leader_goes_the_standby_goes_on_with_its_builds(story: Story, how: list[str]) -> None:
    kubectl = story.kubectl.within(NAMESPACE)
    first = until("a leader that stays", lambda: _leader(story) in _names(story) and _leader(story))
    story.apply(story.inline(WAITS))
    running = story.reaches(phase="Running")
    kubectl("delete", "pod", first, "--wait=false", *how)
    until("another one to lead", lambda: _leader(story) not in ("", first), seconds=60)
    story.release(running["podName"])
    status = story.succeeds()
    assert (len(story.pods()), status["attempt"], status["failures"]) == (1, 1, 0)
    kubectl("rollout", "status", DEPLOYMENT, "--timeout=120s", timeout=130)


def _leader(story: Story) -> str:
    """The name of its pod: the lease's holder without the random end."""
    lease = story.kubectl.within(NAMESPACE).get("lease", "imagebuild-operator-leader")
    return str(lease["spec"].get("holderIdentity", "")).rpartition("-")[0]


def _operator_pods(story: Story) -> list[Document]:
    """Without those that a rollout is just taking away."""
    found = story.kubectl.within(NAMESPACE).items("pods", "--selector=app.kubernetes.io/name=imagebuild-operator")
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def _names(story: Story) -> list[str]:
    return [pod["metadata"]["name"] for pod in _operator_pods(story)]


def _restarts(story: Story) -> dict[str, int]:
    """Of each pod of the operator that runs."""
    seen = ((pod["metadata"]["name"], pod["status"].get("containerStatuses")) for pod in _operator_pods(story))
    return {name: containers[0]["restartCount"] for name, containers in seen if containers and containers[0]["ready"]}


def _started_again(story: Story, before: dict[str, int]) -> bool:
    assert before
    now = _restarts(story)
    return all(now.get(name, 0) > restarts for name, restarts in before.items())


def _kill_operator(story: Story) -> None:
    """SIGKILL from the node's own process namespace: inside its own, a first process cannot be killed."""
    kubectl = story.kubectl.within("kube-system")
    nodes = Counter(pod["spec"]["nodeName"] for pod in _operator_pods(story))
    for number, (node, count) in enumerate(nodes.items()):
        _run_to_its_end(kubectl, _killer(f"kill-{story.namespace[-20:]}-{number}", node, count, story.place))


def _run_to_its_end(kubectl: Kubectl, pod: Document) -> None:
    name = pod["metadata"]["name"]
    kubectl.apply(pod)
    try:
        until(f"the end of pod {name}", lambda: _has_ended(kubectl.get("pod", name)), seconds=120)
    finally:
        kubectl("delete", "pod", name, "--wait=false")


def _has_ended(pod: Document) -> bool:
    assert pod["status"].get("phase") != "Failed", pod["status"]
    return bool(pod["status"].get("phase") == "Succeeded")


def _killer(name: str, node: str, count: int, place: Place) -> Document:
    container = {
        "name": "kill",
        "image": place.builder_image,
        "command": ["python3", "-c", KILL, str(count)],
        "securityContext": {"runAsUser": 0, "runAsGroup": 0},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"nodeName": node, "hostPID": True, "restartPolicy": "Never", "containers": [container]},
    }
