"""Builds while their node's kubelet is away: the containers go on, and what they said at their end is not lost."""

from __future__ import annotations

import pytest

from e2e.story import WAITS, Story
from testbed.kubectl import until
from testbed.node import Node

pytestmark = [pytest.mark.cluster, pytest.mark.disruptive]


def test_a_build_ends_right_after_its_kubelet_was_killed(story: Story, node: Node) -> None:
    story.apply(story.inline(WAITS))
    running = story.reaches(phase="Running")
    first = node.pid("kubelet")
    node.kill("kubelet")
    node.end_waiting_steps()
    until("another kubelet", lambda: node.pid("kubelet") not in ("", first), seconds=60)
    _ended_well(story, running["podName"])


def test_a_build_that_ends_while_its_kubelet_is_stopped_is_reported_when_that_is_back(story: Story, node: Node) -> None:
    story.apply(story.inline(WAITS))
    running = story.reaches(phase="Running")
    with node.without_kubelet():
        node.end_waiting_steps()
        until("the node to be given up", lambda: node.ready() == "Unknown", seconds=180, pause=1)
        assert not node.pid("kubelet")
        assert story.status()["phase"] == "Running"
    until("the node to be ready", lambda: node.ready() == "True", seconds=120)
    _ended_well(story, running["podName"])


def _ended_well(story: Story, pod: str) -> None:
    status = story.succeeds()
    assert (status["podName"], status["attempt"], status["failures"]) == (pod, 1, 0)
    assert len(story.pods()) == 1
    assert status["output"]["digest"].startswith("sha256:")
