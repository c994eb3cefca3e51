"""Conditions: for `kubectl wait`, Argo CD and Flux, and still when nothing changes."""

from __future__ import annotations

import pytest

import make
from imagebuild.api.status import ImageBuildStatus, Phase
from imagebuild.contract.reasons import Reason
from imagebuild.core.conditions import seal


def status(phase: Phase, reason: Reason = Reason.BUILDING, message: str = "m") -> ImageBuildStatus:
    return ImageBuildStatus(phase=phase, reason=reason, message=message)


@pytest.mark.parametrize(
    ("phase", "true", "unknown"),
    [
        pytest.param(Phase.PENDING, {"Reconciling"}, {"Succeeded"}, id="Pending"),
        pytest.param(Phase.RUNNING, {"Reconciling"}, {"Succeeded"}, id="Running"),
        pytest.param(Phase.SUCCEEDED, {"Ready", "Succeeded", "Finished"}, set(), id="Succeeded"),
        pytest.param(Phase.FAILED, {"Finished", "Stalled"}, set(), id="Failed"),
    ],
)
def test_each_phase_has_its_conditions(phase: Phase, true: set[str], unknown: set[str]) -> None:
    conditions = seal(status(phase), ImageBuildStatus(), 1, make.START).conditions
    found = {value: {c.type for c in conditions if c.status == value} for value in ("True", "Unknown", "False")}
    assert (found["True"], found["Unknown"]) == (true, unknown)
    assert len(conditions) == 5


def test_a_condition_changes_its_time_only_when_it_changes_its_truth() -> None:
    first = seal(status(Phase.PENDING), ImageBuildStatus(), 1, make.at(0))
    second = seal(status(Phase.SUCCEEDED, Reason.BUILT), first, 1, make.at(9))
    times = {c.type: c.last_transition_time for c in second.conditions}
    assert times["Ready"] == times["Reconciling"] == make.at(9)
    assert times["Stalled"] == make.at(0)


def test_reason_message_and_generation_are_those_of_the_status() -> None:
    sealed = seal(status(Phase.FAILED, Reason.STEP_FAILED, "no"), ImageBuildStatus(), 7, make.START)
    assert {(c.reason, c.message, c.observed_generation) for c in sealed.conditions} == {("StepFailed", "no", 7)}
    assert sealed.observed_generation == 7


def test_sealing_again_changes_nothing() -> None:
    sealed = seal(status(Phase.RUNNING), ImageBuildStatus(), 1, make.START)
    assert seal(sealed, sealed, 1, make.at(500)) == sealed
