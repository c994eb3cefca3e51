"""What Argo CD and Flux make of an ImageBuild in each phase, by their own code. Needs no cluster, but takes long to compile."""

from __future__ import annotations

from typing import Any

import pytest

import make
from imagebuild.api.crd import UNSEEN
from imagebuild.api.imagebuild import parse
from imagebuild.api.status import FailureStatus, ImageBuildStatus, Phase, Run
from imagebuild.contract.reasons import Reason
from imagebuild.core.conditions import seal
from testbed.gitops import acted, health

pytestmark = pytest.mark.thorough


def seen(phase: Phase, reason: Reason, generation: int = 1, message: str = "m", **more: Any) -> dict[str, Any]:
    status = ImageBuildStatus(phase=phase, reason=reason, message=message, **more)
    return make.status_document(seal(status, ImageBuildStatus(), generation, make.START))


ROWS = {
    "nobody has seen it": (UNSEEN, "Progressing", "InProgress"),
    "it waits for its turn": (seen(Phase.PENDING, Reason.QUEUED), "Progressing", "InProgress"),
    "it waits for a Secret": (seen(Phase.PENDING, Reason.SECRET_MISSING), "Progressing", "InProgress"),
    "it waits for its next attempt": (seen(Phase.PENDING, Reason.RETRYING), "Progressing", "InProgress"),
    "it is suspended": (seen(Phase.PENDING, Reason.SUSPENDED), "Suspended", "InProgress"),
    "the operator is held": (seen(Phase.PENDING, Reason.HELD), "Suspended", "InProgress"),
    "it builds": (seen(Phase.RUNNING, Reason.BUILDING), "Progressing", "InProgress"),
    "it is built": (seen(Phase.SUCCEEDED, Reason.BUILT), "Healthy", "Current"),
    "it was built before": (seen(Phase.SUCCEEDED, Reason.ALREADY_BUILT), "Healthy", "Current"),
    "it has failed": (seen(Phase.FAILED, Reason.STEP_FAILED), "Degraded", "Failed"),
    "it was cancelled": (seen(Phase.FAILED, Reason.CANCELLED), "Degraded", "Failed"),
    "it was built, of an older spec": (seen(Phase.SUCCEEDED, Reason.BUILT, 0), "Progressing", "InProgress"),
    "it has failed, of an older spec": (seen(Phase.FAILED, Reason.STEP_FAILED, 0), "Progressing", "InProgress"),
}


@pytest.fixture(scope="module")
def judged() -> dict[str, tuple[str, str]]:
    """One process for all rows."""
    found = health({**make.build_document(), "status": status} for status, _, _ in ROWS.values())
    return {row: (said.argo, said.kstatus) for row, said in zip(ROWS, found, strict=True)}


@pytest.mark.parametrize("row", ROWS)
def test_each_phase_has_its_health(row: str, judged: dict[str, tuple[str, str]]) -> None:
    _, argo, kstatus = ROWS[row]
    assert judged[row] == (argo, kstatus)


def test_a_failure_says_what_happened_and_what_to_do() -> None:
    failure = FailureStatus(reason=Reason.STEP_FAILED, message="make failed", next_step="Look at line 3.")
    status = seen(Phase.FAILED, Reason.STEP_FAILED, message="make failed", failure=failure)
    (said,) = health([{**make.build_document(), "status": status}])
    assert (said.argo_says, said.kstatus_says) == ("make failed Look at line 3.", "make failed")


@pytest.mark.parametrize(
    ("phase", "reason", "offered"),
    [
        pytest.param(Phase.RUNNING, Reason.BUILDING, {"rebuild", "cancel"}, id="it builds"),
        pytest.param(Phase.SUCCEEDED, Reason.BUILT, {"rebuild"}, id="it is built"),
        pytest.param(Phase.FAILED, Reason.STEP_FAILED, {"rebuild"}, id="it has failed"),
    ],
)
def test_argo_cd_offers_what_can_be_done(phase: Phase, reason: Reason, offered: set[str]) -> None:
    run = Run(number=3, inputs_hash="1")
    assert acted("rebuild", {**make.build_document(), "status": seen(phase, reason, run=run)})[0] == offered


@pytest.mark.parametrize("action", ["cancel", "rebuild"])
def test_its_actions_write_the_annotation_that_the_operator_reads_and_nothing_else(action: str) -> None:
    run = Run(number=3, inputs_hash="1")
    before = {**make.build_document(), "status": seen(Phase.RUNNING, Reason.BUILDING, run=run)}
    _, after = acted(action, before)
    build = parse(after)
    assert (build.cancelled_run, build.rebuild_at is not None) == ((3, False) if action == "cancel" else (None, True))
    (written,) = after["metadata"].pop("annotations")
    assert written == f"imagebuild.dev/{'cancel' if action == 'cancel' else 'rebuild-at'}"
    assert after == before
