"""What became of a probe pod, from what the API server has: its document, the kubelet's events, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from imagebuild.api import names
from imagebuild.contract import layout, probe
from imagebuild.contract.reasons import Reason
from imagebuild.core.observe import State, observe

__all__ = ["REFUSED", "STARTING", "Outcome", "refused", "seen", "unfinished"]

Document = Mapping[str, Any]
REFUSED = "refused"
"""In place of a reason: the API server has not taken the pod."""
_IN_A_SANDBOX = ("Pulling", "Pulled", "Created")
"""What the kubelet says when it has gone on."""
_COUNTED = {names.LABEL_RUN: "1", names.LABEL_ATTEMPT: "1"}
"""Labels that build pods have; probe pods are not to look like one of a build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    reason: str
    """A `Reason`, or REFUSED."""
    message: str = ""
    ended: bool = False
    """The container has run, and is over."""
    stuck: bool = False
    """It does not get any further by itself."""
    taken: bool = False
    """A kubelet has it. Nobody else can end it in order."""
    facts: probe.Facts | None = None
    node: str = ""
    took: timedelta | None = None
    """From the container's start to its end."""

    @property
    def built(self) -> bool:
        return self.reason == Reason.BUILT


STARTING = Outcome(reason=Reason.STARTING)


def refused(message: str) -> Outcome:
    return Outcome(reason=REFUSED, message=message, stuck=True)


def seen(pod: Document, events: Sequence[Document] = ()) -> Outcome:
    """`events`: those about the pod; a sandbox that cannot be made is told nowhere else."""
    labels = {**(pod["metadata"].get("labels") or {}), **_COUNTED}
    found = observe({**pod, "metadata": {**pod["metadata"], "labels": labels}})
    if found.reason is Reason.STARTING and (told := _no_sandbox(pod, events)):
        return Outcome(reason=Reason.CONTAINER_NOT_STARTED, message=told, stuck=True, taken=True, node=_node(pod))
    return Outcome(
        reason=found.reason,
        message=found.message,
        ended=found.state is State.ENDED,
        stuck=found.state is State.WAITING and found.reason is not Reason.STARTING,
        taken="startTime" in (pod.get("status") or {}),
        facts=probe.parse(_left(pod)) if found.state is State.ENDED else None,
        node=_node(pod),
        took=found.finished_at - found.started_at if found.finished_at and found.started_at else None,
    )


def unfinished(last: Outcome, patience: float) -> Outcome:
    """Nobody waits any longer. What it is stuck in is told as it is."""
    if last.stuck:
        return last
    doing = "did not end" if last.reason == Reason.BUILDING else "did not start"
    return Outcome(reason=Reason.TIMED_OUT, message=f"the pod {doing} within {patience:.0f} s", node=last.node)


def _no_sandbox(pod: Document, events: Sequence[Document]) -> str:
    """The last word on it; empty where there is none, or where a later try has made one."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    made = any(each["type"] == "PodReadyToStartContainers" and each["status"] == "True" for each in conditions)
    if made or any(each.get("reason") in _IN_A_SANDBOX for each in events):
        return ""
    told = [str(each.get("message") or "") for each in events if each.get("reason") == "FailedCreatePodSandBox"]
    return told[-1] if told else ""


def _node(pod: Document) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")


def _left(pod: Document) -> str:
    """The termination message."""
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        if status["name"] == layout.CONTAINER:
            return str(((status.get("state") or {}).get("terminated") or {}).get("message") or "")
    return ""
