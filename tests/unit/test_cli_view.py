"""What is asked of an ImageBuild: is it over, what does it wait for, and when is one more run due."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from imagebuild.cli import changing, waiting
from imagebuild.cli.view import View
from imagebuild.contract.reasons import Reason
from unit.clidocuments import FIRST, NEW, NOW, QUEUED, build


@pytest.mark.parametrize(
    ("annotation", "status", "due"),
    [
        pytest.param("2026-11-24T11:00:00Z", {"queuedAt": "2026-11-24T10:00:00Z"}, True, id="newer than the run"),
        pytest.param("2026-11-24T11:00:00Z", {"queuedAt": "2026-11-24T11:00:00Z"}, False, id="as old as the run"),
        pytest.param("2026-11-24T11:00:00.7Z", {"queuedAt": "2026-11-24T11:00:00Z"}, False, id="by less than a second"),
        pytest.param("2026-11-24T13:00:00Z", {"queuedAt": "2026-11-24T11:00:00Z"}, False, id="still to come"),
        pytest.param("tomorrow", {"queuedAt": "2026-11-24T11:00:00Z"}, False, id="no time"),
    ],
)
def test_a_rebuild_that_was_asked_for_is_waited_for(annotation: str, status: dict[str, str], due: bool) -> None:
    marks = {"imagebuild.dev/rebuild-at": annotation}
    view = View(build(1, annotations=marks, phase="Succeeded", run=1, **status))
    assert (view.due(NOW), view.settled(NOW)) == (due, not due)


def test_a_spec_that_the_operator_has_not_seen_is_waited_for() -> None:
    assert not View(build(1, phase="Succeeded", run=1) | {"metadata": {**NEW["metadata"], "generation": 2}}).settled(
        NOW
    )


@pytest.mark.parametrize("behind", [timedelta(0), timedelta(hours=1)])
def test_a_rebuild_is_asked_for_at_a_time_that_counts_whatever_the_clock_says(behind: timedelta) -> None:
    view = View(build(1, phase="Succeeded", run=1, queuedAt="2026-11-24T12:00:00Z"))
    asked = view.next_rebuild(NOW - behind)
    patch = changing.rebuild(asked)
    marks = patch["metadata"]["annotations"]
    assert View({**view.document, "metadata": {**view.metadata, "annotations": marks}}).due(asked)


@pytest.mark.parametrize(
    ("document", "place", "text"),
    [
        (NEW, None, "Created: waits for the operator to see it"),
        (QUEUED, None, "Queued: the build waits for its turn"),
        (QUEUED, (2, 7), "Queued: the build waits for its turn (2nd of 7 in the namespace)"),
        (QUEUED, (11, 12), "Queued: the build waits for its turn (11th of 12 in the namespace)"),
        (FIRST, None, "Building: The build pod runs."),
        (
            build(1, phase="Pending", reason="SecretMissing", run=1, message="The Secret npm does not exist."),
            None,
            "SecretMissing: The Secret npm does not exist. Create it; the build then goes on.",
        ),
        (
            build(1, phase="Pending", reason="Retrying", run=1, attempt=1, nextRetryAt="2026-11-24T12:00:04Z"),
            None,
            "Retrying: the last attempt met a fault of the infrastructure; the next one follows, attempt 2 in 4 s",
        ),
        (
            build(1, phase="Pending", reason="SomethingNew", run=1, message="Who knows."),
            None,
            "SomethingNew: Who knows.",
        ),
    ],
)
def test_a_state_is_a_line(document: dict[str, Any], place: tuple[int, int] | None, text: str) -> None:
    assert waiting.state(View(document), place, NOW) == text


def test_a_place_in_the_queue_counts_those_who_wait_longer() -> None:
    def waits(name: str, since: str) -> View:
        document = build(1, phase="Pending", reason=Reason.QUEUED, run=1, queuedAt=f"2026-11-24T{since}Z")
        return View({**document, "metadata": {**document["metadata"], "name": name}})

    queue_ = [waits("a", "10:00:00"), waits("b", "09:00:00"), waits("c", "11:00:00"), View(FIRST)]
    assert [waiting.place_in_queue(each, queue_) for each in queue_[:3]] == [(2, 3), (1, 3), (3, 3)]
