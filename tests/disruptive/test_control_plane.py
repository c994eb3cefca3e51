"""Builds while the API server and etcd are away. Build pods need neither; the operator waits for them to come back."""

from __future__ import annotations

import time

import pytest

from e2e.story import WAITS, Story
from testbed.deploy import NAMESPACE
from testbed.kubectl import until
from testbed.node import Node

pytestmark = [pytest.mark.cluster, pytest.mark.disruptive]

ETCD_PAUSE = 15


def test_a_build_goes_on_and_is_reported_when_the_api_server_is_killed(story: Story, node: Node) -> None:
    running = _begun(story)
    before, first = operator_starts(story), node.pid("kube-apiserver")
    node.kill("kube-apiserver")
    node.end_waiting_steps()
    until("another API server", lambda: node.pid("kube-apiserver") not in ("", first), seconds=240)
    until("the API server to answer", node.answers, seconds=240)
    _ended_well(story, running)
    print(f"containers of the operator started again: {operator_starts(story) - before}")


def test_a_build_ends_while_etcd_does_not_answer_and_is_reported_afterwards(story: Story, node: Node) -> None:
    running = _begun(story)
    before = operator_starts(story)
    with node.paused("etcd"):
        node.end_waiting_steps()
        # /readyz gives what it has last heard of etcd, which may be a moment old
        until("the API server to miss etcd", lambda: not node.answers())
        assert not node.answers()
        time.sleep(ETCD_PAUSE)  # what is tested is the length of it
    until("the API server to answer", node.answers, seconds=240)
    _ended_well(story, running)
    print(f"containers of the operator started again: {operator_starts(story) - before}")


def _begun(story: Story) -> str:
    """The pod of a build that waits in its step; the node ends that without asking the API server."""
    story.apply(story.inline(WAITS))
    return str(story.reaches(phase="Running")["podName"])


def _ended_well(story: Story, pod: str) -> None:
    """It, and a build after it: the operator has recovered without help."""
    status = story.succeeds()
    assert (status["podName"], status["attempt"], status["failures"]) == (pod, 1, 0)
    story.apply(story.inline(output={"images": [story.image("after")]}), name="after")
    story.succeeds("after")
    assert len(story.pods()) == 2


def operator_starts(story: Story) -> int:
    pods = story.kubectl.within(NAMESPACE).items("pods")
    return sum(status["restartCount"] for pod in pods for status in pod["status"].get("containerStatuses", ()))
