"""A pod's document as what it says about the build. The only module that reads pods; it keeps little of them.

What a pod reports is untrusted: RUN steps share it. Causes come from the kubelet and the typed result, in this order:

1. a digest in the result: the image is pushed, whatever came after
2. what the kubelet says of the pod: evicted, deadline, preempted
3. what it says of the container: OOMKilled
4. the result's reason
5. the exit code alone
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from imagebuild.api import names
from imagebuild.api.imagebuild import moment
from imagebuild.contract import layout
from imagebuild.contract.reasons import Fault, Reason
from imagebuild.contract.result import BuildResult, Essentials, parse
from imagebuild.core.nextmode import naming

Document = Mapping[str, Any]


class State(StrEnum):
    WAITING = "Waiting"
    RUNNING = "Running"
    ENDED = "Ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    name: str
    uid: str
    owner_uid: str
    run: int
    attempt: int
    inputs_hash: str
    rebuild_at: datetime | None = None
    """The annotation of the ImageBuild that asked for this run, if one did."""
    created_at: datetime
    state: State
    reason: Reason
    message: str = ""
    taken_at: datetime | None = None
    """When its node took it; activeDeadlineSeconds counts from there."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: BuildResult | None = None
    deleting: bool = False
    """Somebody has deleted it; the kubelet removes it."""
    stopping: bool = False
    """The operator has asked it to stop."""

    generation: int = 0
    """Of the ImageBuild that the pod was made from."""
    pod_hash: str = ""
    """Of what it was made from."""
    cache_claim: str | None = None
    """That of its cache volume: the spec may name another one by now."""
    archive: str = ""
    """The repository of its log archive, as the operator has told it; empty where it has none."""

    @property
    def live(self) -> bool:
        return self.state is not State.ENDED

    @property
    def ending(self) -> bool:
        """Somebody has asked it to end, and it has not yet."""
        return self.live and (self.stopping or self.deleting)

    def takes_a_slot(self, patience_since: datetime) -> bool:
        """One that has not started since `patience_since` uses nothing of what slots are about."""
        return self.state is State.RUNNING or (self.state is State.WAITING and self.created_at > patience_since)


_POD_REASONS = {
    "Evicted": Reason.EVICTED,
    "DeadlineExceeded": Reason.TIMED_OUT,
    "Preempting": Reason.PREEMPTED,  # by the kubelet, for a critical pod
    "Terminated": Reason.NODE_LOST,  # a node that shuts down
    "NodeLost": Reason.NODE_LOST,
    "NodeShutdown": Reason.NODE_LOST,
    # the kubelet does not take the pod: it is of another kind than the scheduler thought
    "AppArmor": Reason.CONTAINER_NOT_STARTED,
    "PodFeatureUnsupported": Reason.CONTAINER_NOT_STARTED,
}
_DISRUPTIONS = {
    "PreemptionByScheduler": Reason.PREEMPTED,
    "DeletionByTaintManager": Reason.NODE_LOST,
    "DeletionByPodGC": Reason.NODE_LOST,
    "EvictionByEvictionAPI": Reason.EVICTED,
    "TerminationByKubelet": Reason.NODE_LOST,
}
"""Reasons of the condition DisruptionTarget, which Kubernetes sets on a pod before it ends it."""
_STOPS = {reason.value for reason in Reason if reason.row.fault in (Fault.STOPPED, Fault.TOO_LATE)} | {
    Reason.SUSPENDED.value
}
DONE = {Reason.BUILT, Reason.ALREADY_BUILT}
"""What a pod ends with that has done what it was asked for."""
_SAYS = {reason for reason in Reason if reason.row.fault in (Fault.USER, Fault.CONFIGURATION, Fault.INFRASTRUCTURE)} | {
    Reason.SECRET_MISSING,
    Reason.CONFIG_MAP_MISSING,
    Reason.SILENT,
}
"""Why a runner ends without an image. Whatever else a result says, nobody but the operator may."""
_PULL_FAILURES = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
_START_FAILURES = {"CreateContainerError", "CreateContainerConfigError", "RunContainerError"}
_NEVER_STARTED = {"StartError", "ContainerCannotRun"}
"""The runtime made the container, and could not start its first process."""
_MESSAGE_MAX = 500
_DIGITS = 9


def observe(document: Document) -> Observation:
    """Raises KeyError for a pod that is not one of ours. Without an owner: its ImageBuild was deleted without it."""
    meta = document["metadata"]
    labels, annotations = meta["labels"], meta.get("annotations") or {}
    status = document.get("status") or {}
    container, stop = _container(status), annotations.get(names.ANNOTATION_STOP, "")
    owner = next((each for each in meta.get("ownerReferences") or () if each.get("controller")), {"uid": ""})
    return Observation(
        name=meta["name"],
        uid=meta["uid"],
        owner_uid=owner["uid"],
        run=_count(labels[names.LABEL_RUN]),
        attempt=_count(labels[names.LABEL_ATTEMPT]),
        inputs_hash=annotations.get(names.ANNOTATION_INPUTS, ""),
        generation=_count(annotations.get(names.ANNOTATION_GENERATION, "")),
        pod_hash=annotations.get(names.ANNOTATION_POD_HASH, ""),
        created_at=datetime.fromisoformat(meta["creationTimestamp"]),
        rebuild_at=moment(annotations.get(names.ANNOTATION_REBUILD_AT)),
        cache_claim=_cache_claim(document.get("spec") or {}),
        archive=annotations.get(names.ANNOTATION_ARCHIVE, "")[:_MESSAGE_MAX],
        deleting="deletionTimestamp" in meta,
        stopping=bool(stop),
        **_named(_progress(status, container, stop), document),
    )


def _count(label: str) -> int:
    """Whoever may label pods may write anything there; no build has a run or attempt 0."""
    return int(label) if label.isascii() and label.isdecimal() and len(label) <= _DIGITS else 0


def _cache_claim(spec: Document) -> str | None:
    volumes = (each for each in spec.get("volumes") or () if each["name"] == layout.CACHE_VOLUME)
    return next(((each.get("persistentVolumeClaim") or {}).get("claimName") for each in volumes), None)


def _container(status: Document) -> Document:
    """The state of the build container; sidecars that others inject do not count."""
    for item in status.get("containerStatuses") or ():
        if item["name"] == layout.CONTAINER:
            return item.get("state") or {}
    return {}


def _progress(status: Document, container: Document, stop: str) -> dict[str, Any]:
    if (terminated := container.get("terminated")) is not None:
        return _ended(status, terminated, stop)
    if status.get("phase") in ("Failed", "Succeeded"):
        return _ended(status, {}, stop)
    if (running := container.get("running")) is not None:
        return {
            "state": State.RUNNING,
            "reason": Reason.BUILDING,
            "taken_at": _time(status.get("startTime")),
            "started_at": _time(running.get("startedAt")),
        }
    reason, message = _waiting(status, container.get("waiting") or {})
    return {"state": State.WAITING, "reason": reason, "message": message}


def _named(progress: dict[str, Any], pod: Document) -> dict[str, Any]:
    """With the isolation mode that would do, where the pod's does not."""
    message = progress.get("message", "")
    unfit = progress["reason"] is Reason.CONTAINER_NOT_STARTED
    return {**progress, "message": naming(message, pod, _MESSAGE_MAX) if unfit else message[:_MESSAGE_MAX]}


def _waiting(status: Document, waiting: Document) -> tuple[Reason, str]:
    word, message = waiting.get("reason", ""), waiting.get("message", "")
    if word in _PULL_FAILURES:
        return Reason.IMAGE_PULL_FAILED, message
    if word in _START_FAILURES:
        return (Reason.PROFILE_MISSING if "seccomp" in message else Reason.CONTAINER_NOT_STARTED), message
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            if condition.get("reason") == "SchedulingGated":
                return Reason.SCHEDULING_GATED, condition.get("message", "")
            return _unscheduled(condition.get("message", ""))
    return Reason.STARTING, ""


def _unscheduled(message: str) -> tuple[Reason, str]:
    missing = "persistentvolumeclaim" in message and "not found" in message
    return (Reason.CLAIM_MISSING if missing else Reason.UNSCHEDULABLE), message


def _ended(status: Document, terminated: Document, stop: str) -> dict[str, Any]:
    result = parse(terminated.get("message") or "")  # what the runtime says of a failed start stands there, too
    reason, message = _cause(status, terminated, result)
    heard = result is not None and result.essentials.reason in (Reason.STOPPED, stop)
    if stop in _STOPS and reason not in DONE and (heard or reason is Reason.TIMED_OUT):
        # a request to stop lowers the deadline too, for a runner that does not hear it
        reason, message = Reason(stop), Reason(stop).row.sentence
    return {
        "state": State.ENDED,
        "reason": reason,
        "message": message,
        "started_at": _time(terminated.get("startedAt")) or _time(status.get("startTime")),
        "finished_at": _time(terminated.get("finishedAt")),
        "result": result,
    }


def _cause(status: Document, terminated: Document, result: BuildResult | None) -> tuple[Reason, str]:
    said = result.essentials if result else None
    if said is not None and (said.digest is not None or said.reason in DONE):
        return (said.reason if said.reason in DONE else Reason.BUILT), said.message
    told = _told_by_the_kubelet(status, terminated)
    failed = said is not None and said.reason.row.fault in (Fault.USER, Fault.CONFIGURATION)
    # at the deadline the runner alone hears a TERM: it had the failure by then, and was at the log archive
    if told is not None and not (failed and told[0] is Reason.TIMED_OUT):
        return told
    return _said(status, said) if said is not None else _without_a_word(status, terminated)


def _told_by_the_kubelet(status: Document, terminated: Document) -> tuple[Reason, str] | None:
    if (word := status.get("reason")) in _POD_REASONS:
        # its own words for a deadline name neither the field nor its value
        told = "" if _POD_REASONS[word] is Reason.TIMED_OUT else status.get("message", "")
        return _POD_REASONS[word], told
    if terminated.get("reason") == "OOMKilled":
        return Reason.OUT_OF_MEMORY, "the kernel ended the build container for using more memory than its limit"
    return None


def _without_a_word(status: Document, terminated: Document) -> tuple[Reason, str]:
    if not terminated:
        return _disrupted(status, status.get("message") or "the pod ended without having started the build container")
    if terminated.get("reason") in _NEVER_STARTED:
        return Reason.CONTAINER_NOT_STARTED, terminated.get("message", "")
    return Reason.UNKNOWN, f"the build container ended with exit code {terminated.get('exitCode')} and left no result"


def _said(status: Document, said: Essentials) -> tuple[Reason, str]:
    if said.reason is Reason.STOPPED:  # our own stops name a reason of ours; a bare TERM comes from who ends the pod
        return _disrupted(status, said.message)
    return (said.reason if said.reason in _SAYS else Reason.UNKNOWN), said.message


def _disrupted(status: Document, otherwise: str) -> tuple[Reason, str]:
    """Who ended the pod, where Kubernetes says so."""
    for condition in status.get("conditions") or ():
        if condition["type"] == "DisruptionTarget" and condition.get("reason") in _DISRUPTIONS:
            return _DISRUPTIONS[condition["reason"]], condition.get("message", "")
    return Reason.POD_LOST, otherwise


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
