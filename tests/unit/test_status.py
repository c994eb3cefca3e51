"""A status reads as it was written, with the names that users see."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

import make
from imagebuild.api.status import Condition, ImageBuildStatus, Phase, Run, Success, timestamp
from imagebuild.contract.reasons import Reason

STATUS = ImageBuildStatus(
    observed_generation=3,
    phase=Phase.SUCCEEDED,
    reason=Reason.BUILT,
    message="Built and pushed.",
    conditions=(
        Condition(
            type="Ready",
            status="True",
            reason="Built",
            message="",
            observed_generation=3,
            last_transition_time=make.START,
        ),
    ),
    run=Run(number=2, inputs_hash="0123", rebuild_at=make.at(5)),
    pod_uid="pod-2-1",
    last_successful=Success(run=2, digest=make.DIGEST, time=make.at(9)),
)


def test_a_status_reads_as_it_was_written() -> None:
    assert make.make_build(status=STATUS).status == STATUS


def test_names_are_those_that_kubernetes_users_expect() -> None:
    written = make.status_document(STATUS)
    assert written["podUID"] == "pod-2-1"
    assert written["observedGeneration"] == 3
    assert written["conditions"][0]["lastTransitionTime"] == "2026-01-01T12:00:00Z"
    assert "startedAt" not in written


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        pytest.param(make.START, "2026-01-01T12:00:00Z", id="UTC"),
        pytest.param(make.START.replace(microsecond=999_999), "2026-01-01T12:00:00Z", id="seconds are not rounded"),
        pytest.param(
            datetime(2026, 1, 1, 14, tzinfo=timezone(timedelta(hours=2))), "2026-01-01T12:00:00Z", id="another zone"
        ),
        pytest.param(make.START.replace(year=33), "0033-01-01T12:00:00Z", id="a year has four digits"),
    ],
)
def test_times_are_rfc_3339_in_utc(moment: datetime, text: str) -> None:
    assert timestamp(moment) == text
