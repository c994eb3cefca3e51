"""People and limits step in while real pods build: cancel, suspend, groups, deadlines, corrections, expiry."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from e2e.story import WAITS, Story
from testbed import registry
from testbed.kubectl import until

pytestmark = pytest.mark.cluster


def annotate(story: Story, what: str, name: str = "app") -> None:
    story.kubectl("annotate", "imagebuild", name, f"imagebuild.dev/{what}", "--overwrite")


def soon() -> str:
    """A second from now: later than the run that has just begun."""
    return f"{dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"


def newer(story: Story, order: int, dockerfile: str = WAITS, **concurrency: Any) -> dict[str, Any]:
    return story.inline(dockerfile, concurrency={"group": "main", "order": order, **concurrency})


def test_a_cancelled_build_stops_and_its_log_stays(story: Story) -> None:
    story.apply(story.inline("FROM busybox:1.37\nRUN echo begun && /bin/sleep 86400\n"))
    running = story.reaches(phase="Running")
    until("the step", lambda: "begun" in story.log())
    annotate(story, "cancel=1")
    status = story.fails("Cancelled")
    assert "begun" in story.kubectl("logs", running["podName"])
    assert status["attempt"] == 1
    assert registry.manifest(story.place, story.image()) is None


def test_a_suspended_build_stops_and_is_started_over_when_it_is_resumed(story: Story) -> None:
    spec = story.inline(WAITS)
    story.apply(spec)
    first = story.reaches(phase="Running")
    story.apply({**spec, "suspend": True})
    story.reaches(phase="Pending", reason="Suspended")
    assert story.status()["run"] == first["run"]
    story.apply({**spec, "suspend": False})
    story.release(story.reaches(phase="Running", attempt=2)["podName"])
    status = story.succeeds()
    assert (status["run"]["number"], status["failures"]) == (1, 0)


def test_of_a_group_only_the_running_and_the_newest_build(story: Story) -> None:
    story.apply(newer(story, 1), "push-1")
    running = story.reaches("push-1", phase="Running")
    for order in (2, 4, 3):
        story.apply(newer(story, order, "FROM busybox:1.37\nRUN true\n"), f"push-{order}")
    story.fails("Superseded", "push-2")
    story.fails("Superseded", "push-3")
    story.reaches("push-4", reason="Queued")
    story.release(running["podName"])
    story.succeeds("push-1")
    story.succeeds("push-4")


def test_the_newest_of_a_group_may_stop_what_runs(story: Story) -> None:
    story.apply(newer(story, 1), "old")
    story.reaches("old", phase="Running")
    story.apply(newer(story, 2, "FROM busybox:1.37\nRUN true\n", cancelRunning=True), "new")
    assert "the ImageBuild new of the group main is newer" in story.fails("Superseded", "old")["message"]
    story.succeeds("new")


def test_a_secret_that_never_comes_ends_the_build_in_time_and_is_named(story: Story) -> None:
    images = {"images": [story.private_image()]}
    story.apply(story.inline(output=images, registrySecrets=[{"name": "never"}], timeouts={"start": "15s"}))
    assert "never" in story.fails("StartTimedOut")["message"]


def test_a_correction_is_heard_while_no_node_takes_the_pod(story: Story) -> None:
    story.apply(story.inline(pod={"resources": {"requests": {"memory": "9Ti"}}}))
    story.reaches(reason="Unschedulable")
    story.apply(story.inline(pod={"resources": {"requests": {"memory": "256Mi"}}}))
    status = story.succeeds()
    assert (status["run"]["number"], status["attempt"], status["failures"]) == (1, 2, 0)


def test_a_build_on_no_node_is_given_up_in_time(story: Story) -> None:
    story.apply(story.inline(pod={"nodeSelector": {"no": "such"}}, timeouts={"start": "5s"}))
    assert "Unschedulable" in story.fails("StartTimedOut")["message"]
    until("the pod to be gone", lambda: not story.pods())


def test_what_is_marked_as_done_is_not_built(story: Story) -> None:
    story.apply({**story.inline(), "suspend": True})
    story.reaches(reason="Suspended")
    annotate(story, f"done-at={soon()}")
    status = story.reaches(phase="Succeeded", reason="MarkedDone")
    assert status["run"]["number"] == 2
    assert story.pods() == []


def test_a_finished_build_goes_when_its_time_is_over(story: Story) -> None:
    story.apply({**story.inline("FROM busybox:1.37\nRUN true\n"), "ttlAfterFinished": "1s"})
    until("the ImageBuild to go", lambda: not story.kubectl.items("imagebuilds"), seconds=120)
    until("its pod to go", lambda: not story.pods())
