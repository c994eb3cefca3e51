"""Conditions of a status: our own three, and kstatus's two, which `kubectl wait`, Argo CD and Flux read."""

from __future__ import annotations

from datetime import datetime

from imagebuild.api.status import Condition, ImageBuildStatus, Phase
from imagebuild.contract.reasons import Reason

_TRUTH = {
    #           Ready    Succeeded  Finished Reconciling Stalled
    Phase.PENDING: ("False", "Unknown", "False", "True", "False"),
    Phase.RUNNING: ("False", "Unknown", "False", "True", "False"),
    Phase.SUCCEEDED: ("True", "True", "True", "False", "False"),
    Phase.FAILED: ("False", "False", "True", "False", "True"),
}
_TYPES = ("Ready", "Succeeded", "Finished", "Reconciling", "Stalled")


def seal(status: ImageBuildStatus, previous: ImageBuildStatus, generation: int, now: datetime) -> ImageBuildStatus:
    """The status with its conditions; a condition that says what it said before keeps its transition time."""
    before = {condition.type: condition for condition in previous.conditions}
    reason, message = status.reason or Reason.QUEUED, status.message or ""
    values = _TRUTH[status.phase or Phase.PENDING]
    conditions = tuple(
        Condition(
            type=kind,
            status=value,
            reason=reason,
            message=message,
            observed_generation=generation,
            last_transition_time=_since(before.get(kind), value, now),
        )
        for kind, value in zip(_TYPES, values, strict=True)
    )
    return status.model_copy(update={"conditions": conditions, "observed_generation": generation})


def _since(before: Condition | None, value: str, now: datetime) -> datetime:
    return before.last_transition_time if before is not None and before.status == value else now
