"""What Argo CD and Flux make of an ImageBuild in each phase, by their own code. Needs no cluster, but takes long to compile."""

from __future__ import annotations

from typing import Any

import pytest

import make
from imagebuild.api.crd import UNSEEN
from imagebuild.api.status import FailureStatus, ImageBuildStatus, Phase
from imagebuild.contract.reasons import Reason
from imagebuild.core.conditions import seal
from testbed.gitops import health

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
