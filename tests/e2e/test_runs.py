"""What starts a run and what does not, and what becomes of a run that is disturbed."""

from __future__ import annotations

import datetime as dt

import pytest

from e2e.story import WAITS, Story
from testbed.kubectl import until

pytestmark = pytest.mark.cluster


def test_the_same_spec_applied_twice_is_one_run(story: Story) -> None:
    story.apply(story.inline())
    story.apply(story.inline())
    first = story.succeeds()
    story.apply(story.inline())
    assert story.status() == first
    assert len(story.pods()) == 1


def test_a_neutral_field_changes_no_run(story: Story) -> None:
    story.apply(story.inline())
    first = story.succeeds()
    story.apply(story.inline(timeouts={"build": "30m"}))
    again = story.reaches(phase="Succeeded")
    assert again["observedGeneration"] == first["observedGeneration"] + 1
    assert again["run"] == first["run"]
    assert len(story.pods()) == 1


def test_a_changed_input_is_a_new_run_that_keeps_the_last_success_until_it_has_its_own(story: Story) -> None:
    story.apply(story.inline())
    first = story.succeeds()
    story.apply(story.inline("FROM busybox:1.37\nRUN false\n"))
    second = story.finished(run=2)
    assert second["phase"] == "Failed"
    assert "output" not in second
    assert second["lastSuccessful"]["digest"] == first["output"]["digest"]
    assert [(record["run"], record["reason"]) for record in second["history"]] == [(1, "Built")]


def test_rebuild_at_is_a_new_run_with_a_new_pod(story: Story) -> None:
    story.apply(story.inline())
    first = story.succeeds()
    now = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    annotation = f"imagebuild.dev/rebuild-at={now:%Y-%m-%dT%H:%M:%SZ}"
    story.kubectl("annotate", "imagebuild", "app", annotation)
    second = story.succeeds(run=2)
    assert second["podName"] != first["podName"]
    assert second["cache"]["summary"] == "5/5"
    assert len(story.pods()) == 2


def test_inputs_that_change_while_the_build_runs_stop_it_and_build_the_new_ones(story: Story) -> None:
    story.apply(story.inline(WAITS))
    story.reaches(phase="Running")
    story.apply(story.inline())
    second = story.succeeds(run=2)
    assert [(record["run"], record["reason"]) for record in second["history"]] == [(1, "Superseded")]


def test_a_deleted_imagebuild_takes_its_pod_with_it(story: Story) -> None:
    story.apply(story.inline(WAITS))
    story.reaches(phase="Running")
    story.kubectl("delete", "imagebuild", "app")
    until("the pod to be gone", lambda: not story.pods(), seconds=60)


def test_a_pod_deleted_by_hand_is_followed_by_the_next_attempt(story: Story) -> None:
    story.apply(story.inline(WAITS))
    first = story.reaches(phase="Running")
    story.kubectl("delete", "pod", first["podName"], "--wait=false")
    story.release(story.reaches(phase="Running", attempt=2)["podName"])
    status = story.succeeds()
    assert (status["attempt"], status["failures"]) == (2, 1)
