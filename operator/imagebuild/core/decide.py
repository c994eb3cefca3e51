"""What to do next for one ImageBuild: a pure function of the object, its pods and the time.

deleting ─────────────────────────────▶ nothing: the garbage collector takes the pods
a new run is due, a pod still lives ──▶ stop that pod, begin when it has ended
the run is over ──────────────────────▶ keep the status true to the generation
an attempt is open ───────────────────▶ report its pod; when it ended: succeed, fail, or close the attempt
no attempt is open ───────────────────▶ wait for what is missing, for the time, for a slot; else create a pod
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from imagebuild.api.config import OperatorConfig
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.status import ImageBuildStatus, Run
from imagebuild.contract.plan import PlanTooLargeError
from imagebuild.contract.reasons import Fault, Reason
from imagebuild.core import report
from imagebuild.core.conditions import seal
from imagebuild.core.observe import Observation
from imagebuild.core.part import Manifest
from imagebuild.core.pod import pod
from imagebuild.core.run import due, next_rebuild


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Write this status, if it is not what is there."""

    status: ImageBuildStatus
    wake_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The build could start: ask for a slot. The status is for the case that there is none yet."""

    since: datetime
    status: ImageBuildStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Create this pod and decide again. The status is for the case that the API server refuses it."""

    manifest: Manifest
    status: ImageBuildStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Ask this pod to stop, or, where it has not started or has ended, remove it."""

    pod: Observation
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """A pod that should be there is not in our view of the cluster: look, and if it is gone, decide again."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """Events will tell when there is something to do."""


Decision = Report | Queue | Create | Stop | Confirm | Nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a decision may look at beside the ImageBuild."""

    pods: tuple[Observation, ...]
    """All build pods under this namespace and name, whoever owns them."""
    config: OperatorConfig
    now: datetime
    admitted: bool = False
    gone: str = ""
    """A pod that the API server has just said does not exist."""
    first_delay: timedelta = report.FIRST_DELAY
    """From an attempt that failed to the next one; it doubles with each further one."""


def decide(build: ImageBuild, context: Context) -> Decision:
    if build.deleting:
        return Nothing()
    own = [seen for seen in context.pods if seen.owner_uid == build.uid]
    run = due(build, own, context.now)
    known = build.status.run
    if known is None or run.number > known.number:
        return _new_run(build, run, own, context)
    return _same_run(build, build.status, run, own, context)


def _new_run(build: ImageBuild, run: Run, own: Iterable[Observation], context: Context) -> Decision:
    for old in own:
        if old.live and old.run < run.number:
            return Nothing() if old.stopping else Stop(pod=old, reason=Reason.SUPERSEDED)
    return _same_run(build, report.begin(_with_last_words(build.status, own), run, context.now), run, own, context)


def _with_last_words(status: ImageBuildStatus, own: Iterable[Observation]) -> ImageBuildStatus:
    """The old run's status with what its pod said at its end, if nobody has written that yet: what is pushed counts."""
    for seen in own:
        if seen.uid == status.pod_uid and not seen.live and not (status.phase and status.phase.terminal):
            if seen.reason is Reason.BUILT and seen.result is not None:
                return report.succeeded(status, seen, seen.result)
            return report.failed(status, seen.reason, seen.message, seen)
    return status


def _same_run(
    build: ImageBuild, status: ImageBuildStatus, run: Run, own: Iterable[Observation], context: Context
) -> Decision:
    if status.phase is not None and status.phase.terminal:
        return _report(build, status, context)
    if build.spec is None:
        return _report(build, report.failed(status, Reason.SPEC_INVALID, build.problem), context)
    status = status.model_copy(update={"effective": report.effective(build, build.spec, context.config)})
    newest = max((seen for seen in own if seen.run == run.number), key=lambda seen: seen.attempt, default=None)
    if newest is not None and (newest.uid == status.pod_uid or newest.attempt > (status.attempt or 0)):
        return _open_attempt(build, report.attempted(status, newest), newest, context)
    if status.pod_uid is not None:
        return _missing_pod(build, status, context)
    return _next_attempt(build, build.spec, status, run, context)


def _open_attempt(build: ImageBuild, status: ImageBuildStatus, seen: Observation, context: Context) -> Decision:
    if seen.live:
        return _report(build, report.under_way(status, seen), context)
    if seen.reason is Reason.BUILT and seen.result is not None:
        return _report(build, report.succeeded(status, seen, seen.result), context)
    row = seen.reason.row
    if row.fault is Fault.WAITING or seen.reason is Reason.SUPERSEDED:
        # Superseded, and yet this run is the due one: the inputs were changed back before the pod had ended
        return _retry(build, _again(status, seen, seen.reason, context, counted=False), context)
    if row.retried and (status.failures or 0) < context.config.retry_limit:
        return _retry(build, _again(status, seen, Reason.RETRYING, context, counted=True), context)
    return _report(build, report.failed(status, seen.reason, seen.message, seen), context)


def _again(
    status: ImageBuildStatus, seen: Observation, reason: Reason, context: Context, *, counted: bool
) -> ImageBuildStatus:
    return report.again(status, seen, reason, context.now, counted=counted, first_delay=context.first_delay)


def _missing_pod(build: ImageBuild, status: ImageBuildStatus, context: Context) -> Decision:
    """A recorded pod is not there. That is an attempt lost, never a reason to build the same attempt again."""
    name = status.pod_name or ""
    replaced = any(seen.name == name for seen in context.pods)  # by whoever deleted it and made one of the same name
    if context.gone != name and not replaced:
        return Confirm(name=name)
    if (status.failures or 0) >= context.config.retry_limit:
        return _report(build, report.failed(status, Reason.POD_LOST, f"the build pod {name} is gone"), context)
    lost = report.lost(status, context.now, context.first_delay)
    return _retry(build, lost, context)


def _next_attempt(
    build: ImageBuild, spec: ImageBuildSpec, status: ImageBuildStatus, run: Run, context: Context
) -> Decision:
    if build.unknown_fields:
        told = f"unknown to this operator: {', '.join(build.unknown_fields[:5])}"
        return _report(build, report.waiting(status, Reason.OPERATOR_TOO_OLD, told), context)
    if status.next_retry_at is not None and status.next_retry_at > context.now:
        return _retry(build, status, context)
    if others := [seen.name for seen in context.pods if seen.live]:
        # two live pods must never push the same tag, even where the ImageBuild was deleted and created again
        return _report(build, report.waiting(status, Reason.QUEUED, f"waits for the pod {others[0]} to end"), context)
    if waited := _remove_what_waited(build, context):
        return waited
    if not context.admitted:
        queued = report.waiting(status, Reason.QUEUED)
        return Queue(since=status.queued_at or context.now, status=_sealed(build, queued, context))
    return _create(build, spec, status, run, context)


def _remove_what_waited(build: ImageBuild, context: Context) -> Stop | None:
    """Pods that only found something missing: the next one will say the same, so one is enough to keep."""
    for seen in context.pods:
        waited = not seen.live and seen.reason.row.fault is Fault.WAITING
        if waited and seen.owner_uid == build.uid and not seen.deleting:
            return Stop(pod=seen, reason=seen.reason)
    return None


def _create(build: ImageBuild, spec: ImageBuildSpec, status: ImageBuildStatus, run: Run, context: Context) -> Decision:
    try:
        manifest = pod(build, spec, run, (status.attempt or 0) + 1, context.config)
    except PlanTooLargeError as error:
        return _report(build, report.failed(status, Reason.SPEC_INVALID, str(error)), context)
    return Create(manifest=manifest, status=report.waiting(status, Reason.STARTING))


def refused(
    build: ImageBuild, create: Create, reason: Reason, message: str, context: Context, *, wake_at: datetime | None
) -> Report:
    """The API server did not take the pod: with a time to wake the build waits, without one it has failed."""
    if wake_at is None:
        return _report(build, report.failed(create.status, reason, message), context)
    return Report(status=_sealed(build, report.waiting(create.status, reason, message), context), wake_at=wake_at)


def _retry(build: ImageBuild, status: ImageBuildStatus, context: Context) -> Report:
    return Report(status=_sealed(build, status, context), wake_at=status.next_retry_at)


def _report(build: ImageBuild, status: ImageBuildStatus, context: Context) -> Report:
    return Report(status=_sealed(build, status, context), wake_at=next_rebuild(build, context.now))


def _sealed(build: ImageBuild, status: ImageBuildStatus, context: Context) -> ImageBuildStatus:
    return seal(status, build.status, build.generation, context.now)
