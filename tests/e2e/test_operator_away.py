"""Builds go on without the operator, and the operator goes on where it was. These tests take it away, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2e.story import Story
from testbed.deploy import NAMESPACE
from testbed.kubectl import Document, until

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
    before = _operator_pod(story)
    story.apply(story.inline(SLOW))
    story.reaches(phase="Running")
    _kill_operator(story)

    def started_again() -> bool:
        pod = _operator_pod(story)
        (container,) = pod["status"]["containerStatuses"]
        return bool(container["ready"] and container["restartCount"] > _restarts(before))

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
        kubectl("scale", "deployment/imagebuild-operator", "--replicas=1")
        kubectl("rollout", "status", "deployment/imagebuild-operator", "--timeout=120s", timeout=130)


def _operator_pod(story: Story) -> Document:
    (pod,) = story.kubectl.within(NAMESPACE).items("pods", "--selector=app.kubernetes.io/name=imagebuild-operator")
    return pod


def _restarts(pod: Document) -> int:
    (container,) = pod["status"]["containerStatuses"]
    return int(container["restartCount"])


def _kill_operator(story: Story) -> None:
    """SIGKILL from the node's own process namespace: inside its own, a first process cannot be killed."""
    kubectl = story.kubectl.within("kube-system")
    node = _operator_pod(story)["spec"]["nodeName"]
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
