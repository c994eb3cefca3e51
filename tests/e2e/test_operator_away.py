"""Builds go on without the operator, and the operator goes on where it was. These tests take it away, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2e.story import Story
from testbed.deploy import NAMESPACE
from testbed.kubectl import until

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("operator")]

SLOW = "FROM busybox:1.37\nRUN sleep 6\n"
KILL = """
import os, pathlib, signal, time
killed = []
while not killed:  # it may just be starting
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\\0")
        except OSError:
            continue
        if b"imagebuild.controller" in words:
            os.kill(int(process.name), signal.SIGKILL)
            killed.append(process.name)
    time.sleep(0.2)
print("killed", *killed)
"""


def test_an_operator_killed_in_the_middle_of_a_build_goes_on_with_the_same_pod(story: Story) -> None:
    leader = _leader(story)
    before, _ = _state(story, leader)
    story.apply(story.inline(SLOW))
    story.reaches(phase="Running")
    _kill_operators(story, beside=leader)

    def started_again() -> bool:
        restarts, ready = _state(story, leader)
        return ready and restarts > before

    until("the operator to be started again", started_again, seconds=120)
    status = story.succeeds()
    assert (len(story.pods()), status["attempt"], status["failures"]) == (1, 1, 0)


def test_a_pod_that_ends_while_the_operator_is_down_is_reported_later(story: Story) -> None:
    story.apply(story.inline(SLOW))
    story.reaches(phase="Running")
    with _operator_down(story):
        until("the build pod to end", lambda: story.pods()[0]["status"]["phase"] == "Succeeded", seconds=120)
        assert story.status()["phase"] == "Running"
    status = story.succeeds()
    assert (len(story.pods()), status["attempt"]) == (1, 1)


def test_a_pod_deleted_while_the_operator_is_down_is_lost_and_the_next_attempt_builds(story: Story) -> None:
    story.apply(story.inline(SLOW))
    first = story.reaches(phase="Running")
    with _operator_down(story):
        story.kubectl("delete", "pod", first["podName"], "--grace-period=0", "--force")
        until("the build pod to be gone", lambda: not story.pods())
    status = story.succeeds()
    assert (status["attempt"], status["failures"]) == (2, 1)
    assert status["podName"] != first["podName"]


def test_a_build_applied_while_the_operator_is_down_is_built_when_it_is_back(story: Story) -> None:
    with _operator_down(story):
        story.apply(story.inline())
    story.succeeds()


@contextmanager
def _operator_down(story: Story) -> Iterator[None]:
    kubectl = story.kubectl.within(NAMESPACE)
    kubectl("scale", "deployment/imagebuild-operator", "--replicas=0")
    until("the operator to be gone", lambda: not kubectl.items("pods"), seconds=60)
    try:
        yield
    finally:
        kubectl("scale", "deployment/imagebuild-operator", "--replicas=2")
        kubectl("rollout", "status", "deployment/imagebuild-operator", "--timeout=120s", timeout=130)


@pytest.mark.parametrize("how", [["--grace-period=0", "--force"], ["--grace-period=30"]], ids=["killed", "stopped"])
def test_when_the_leader_goes_the_standby_goes_on_with_its_builds(story: Story, how: list[str]) -> None:
    kubectl = story.kubectl.within(NAMESPACE)
    first = _leader(story)
    story.apply(story.inline(SLOW))
    story.reaches(phase="Running")
    kubectl("delete", "pod", first, "--wait=false", *how)
    until("another one to lead", lambda: _leader(story) not in ("", first), seconds=60)
    status = story.succeeds()
    assert (len(story.pods()), status["attempt"], status["failures"]) == (1, 1, 0)
    kubectl("rollout", "status", "deployment/imagebuild-operator", "--timeout=120s", timeout=130)


def _leader(story: Story) -> str:
    """The name of its pod: the lease's holder without the random end."""
    lease = story.kubectl.within(NAMESPACE).get("lease", "imagebuild-operator-leader")
    return str(lease["spec"].get("holderIdentity", "")).rpartition("-")[0]


def _state(story: Story, replica: str) -> tuple[int, bool]:
    """How often it was started again, and whether it is ready."""
    (container,) = story.kubectl.within(NAMESPACE).get("pod", replica)["status"]["containerStatuses"]
    return int(container["restartCount"]), bool(container["ready"])


def _kill_operators(story: Story, beside: str) -> None:
    """All on the node of this one. SIGKILL from the node's own process namespace: inside its own, a first process cannot be killed."""
    kubectl = story.kubectl.within("kube-system")
    node = story.kubectl.within(NAMESPACE).get("pod", beside)["spec"]["nodeName"]
    name = f"kill-{story.namespace[-20:]}"
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {
                "nodeName": node,
                "hostPID": True,
                "restartPolicy": "Never",
                "containers": [
                    {
                        "name": "kill",
                        "image": story.place.builder_image,
                        "command": ["python3", "-c", KILL],
                        "securityContext": {"runAsUser": 0, "runAsGroup": 0},
                    }
                ],
            },
        }
    )
    until("the operator to be killed", lambda: "killed" in kubectl("logs", name, "--ignore-errors"), seconds=60)
    kubectl("delete", "pod", name, "--wait=false")
