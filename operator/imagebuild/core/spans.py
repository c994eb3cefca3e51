"""Spans that only the operator knows of: the run, its wait, its attempts. Made from what a step of the status changes.

The API server takes each step once, so each span is made once, and also by an operator that was started in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.status import ImageBuildStatus
from imagebuild.contract.reasons import Fault, Reason
from imagebuild.contract.spans import Parent, Span, span_id
from imagebuild.core.observe import Observation
from imagebuild.core.output import repository

_SECOND = timedelta(seconds=1)
"""Kubernetes cuts its times to whole ones: what has ended in a second may have ended at its end."""
_RESULTS = {
    Fault.NONE: "success",
    Fault.INFRASTRUCTURE: "error",
    Fault.STOPPED: "cancellation",
    Fault.TOO_LATE: "timeout",
}
"""OpenTelemetry's words; any other end is a `failure`."""


def spans(build: ImageBuild, status: ImageBuildStatus, pods: Iterable[Observation], now: datetime) -> tuple[Span, ...]:
    """That have ended with this status; `build` is the ImageBuild as it was before."""
    old, run = build.status, status.run
    if run is None or status.trace is None:
        return ()
    if old.run is None or old.run.number != run.number:
        old = ImageBuildStatus()
    given = Parent(status.trace.id, status.trace.parent) if status.trace.parent else None
    pod = next((each for each in pods if each.name == status.pod_name), None)
    return tuple(_Step(build.uid, run.number, status.trace.id, given, old, status, pod, now).spans())


@dataclass(frozen=True, slots=True)
class _Step:
    """From one status of a run to the next."""

    uid: str
    run: int
    trace: str
    given: Parent | None
    old: ImageBuildStatus
    new: ImageBuildStatus
    pod: Observation | None
    """Of the newest attempt, where it is still in view."""
    now: datetime

    def spans(self) -> Iterator[Span]:
        # as it reads once it was written, which it may not have been yet
        over, began = self.new.over and not self.old.over, (self.new.queued_at or self.now).replace(microsecond=0)
        if self.new.attempt and not self.old.attempt:
            yield self._span("queue", began, self.pod.created_at if self.pod else self.now)
        elif over and not self.new.attempt:
            yield self._span("queue", began, self.now)
        if _closed(self.new) and not (_closed(self.old) and self.old.attempt == self.new.attempt):
            yield from self._attempt()
        if over:
            reason = self.new.reason or Reason.UNKNOWN
            ended = self._end_of_pod() if self.new.attempt else self.now
            yield Span(
                name="BUILD",
                id=span_id(self.uid, self.run),
                parent=self.given,
                trace=self.trace,
                start=began.timestamp(),
                end=ended.timestamp(),
                attributes={**_outcome(reason, "cicd.pipeline.result"), **_product(self.new)},
                error=self._error(reason),
                answers=True,
            )

    def _attempt(self) -> Iterator[Span]:
        number, pod = self.new.attempt or 0, self.pod
        started = (pod.started_at if pod else None) or self.old.started_at
        created, ended = pod.created_at if pod else started or self.now, self._end_of_pod()
        reason = self.new.reason if self.new.over else pod.reason if pod else Reason.POD_LOST
        yield self._span("attempt", created, ended, number, reason=reason or Reason.UNKNOWN)
        if pod is not None:
            # from its creation: a node has to be found, the image pulled, volumes mounted
            yield self._span("start pod", created, started or ended, number, "start")

    def _end_of_pod(self) -> datetime:
        found = (self.pod.finished_at if self.pod else None) or self.new.finished_at
        return min(self.now, found + _SECOND) if found else self.now

    def _span(self, name: str, start: datetime, end: datetime, *which: int | str, reason: Reason | None = None) -> Span:
        """Named by the words; below the span whose name has one word less, the last of which is the run's."""
        which = which or (name,)
        return Span(
            name=name,
            id=span_id(self.uid, self.run, *which),
            parent=Parent(self.trace, span_id(self.uid, self.run, *which[:-1])),
            trace=self.trace,
            start=start.timestamp(),
            end=end.timestamp(),
            attributes=self._about(reason) if reason else {},
            error=self._error(reason) if reason else "",
        )

    def _about(self, reason: Reason) -> dict[str, str | int]:
        pod = self.new.pod_name or ""
        return {
            "imagebuild.attempt": self.new.attempt or 0,
            "k8s.pod.name": pod,
            **_outcome(reason, "cicd.pipeline.task.run.result"),
        }

    def _error(self, reason: Reason) -> str:
        if reason.row.fault is Fault.NONE:
            return ""
        return f"{reason}: {(self.new.message if self.new.over else '') or reason.row.sentence}"


def _closed(status: ImageBuildStatus) -> bool:
    """Its newest attempt is over."""
    return bool(status.attempt) and (status.over or status.pod_uid is None)


def _outcome(reason: Reason, result: str) -> dict[str, str | int]:
    """`result`: what OpenTelemetry calls that."""
    word = "imagebuild.reason" if reason.row.fault is Fault.NONE else "error.type"
    return {result: _RESULTS.get(reason.row.fault, "failure"), word: reason.value}


def _product(status: ImageBuildStatus) -> dict[str, str | int]:
    """What came of it."""
    output, source, cache = status.output, status.source, status.cache
    known: dict[str, str | int | None] = {
        "vcs.ref.head.revision": source.commit if source else None,
        "vcs.ref.head.name": source.branch if source else None,
        "container.image.name": repository(output.images[0]) if output and output.images else None,
        "oci.manifest.digest": output.digest if output else None,
        "imagebuild.steps": cache.total if cache else None,
        "imagebuild.steps.cached": cache.cached if cache else None,
        "imagebuild.attempts": status.attempt,
    }
    return {key: value for key, value in known.items() if value is not None}
