"""What to do next for one ImageBuild: a pure function of the object, its pods, admission's verdict and the time.

deleting ─────────────────────────────▶ nothing: the garbage collector takes the pods
a new run is due, a pod still lives ──▶ stop that pod, begin when it has ended
the run is over ──────────────────────▶ keep the status true to the generation; delete the object when its time is over
cancelled, overtaken ─────────────────▶ stop the pod; end when it has ended, unless it has pushed
suspended ────────────────────────────▶ stop the pod, wait
an attempt is open, or none is ───────▶ core/attempt.py
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.status import ImageBuildStatus, Run
from imagebuild.contract.reasons import Fault, Reason
from imagebuild.core import report
from imagebuild.core.attempt import attempt, outcome
from imagebuild.core.conditions import seal
from imagebuild.core.decision import (
    Case,
    Confirm,
    Context,
    Create,
    Decision,
    Delete,
    Nothing,
    Report,
    Stop,
    expires_at,
    to_report,
    wakes_at,
)
from imagebuild.core.nextmode import naming
from imagebuild.core.observe import Observation
from imagebuild.core.run import due, marked_done
from imagebuild.core.tracing import trace

_REFUSAL_MAX = 1000


def decide(build: ImageBuild, context: Context) -> Decision:
    if build.deleting:
        return Nothing()
    own = [seen for seen in context.pods if seen.owner_uid == build.uid]
    if _out_of_view(build.status, context):
        return Confirm(name=build.status.pod_name or "")
    if (marked := marked_done(build, own, context.now)) is not None:
        return _mark_done(build, marked, own, context)
    run = due(build, own, context.now)
    known = build.status.run
    if known is None or run.number > known.number:
        return _new_run(build, run, own, context)
    return _same_run(build, build.status, own, context)


def refused(
    build: ImageBuild, create: Create, reason: Reason, message: str, context: Context, *, wake_at: datetime | None
) -> Report:
    """The API server did not take the pod: with a time to wake the build waits, without one it has failed."""
    if reason is Reason.POD_REJECTED:
        message = naming(message, create.manifest, _REFUSAL_MAX)
    if wake_at is None:
        return to_report(build, report.failed(create.status, reason, message), context)
    return to_report(build, report.waiting(create.status, reason, message), context, wake_at)


def _out_of_view(status: ImageBuildStatus, context: Context) -> bool:
    """The pod that the status names is not among those that we see, and the API server has not said that it is gone."""
    if status.pod_uid is None or status.over or context.gone == status.pod_name:
        return False
    return all(seen.name != status.pod_name for seen in context.pods)


# --- runs


def _mark_done(build: ImageBuild, run: Run, own: list[Observation], context: Context) -> Decision:
    if waits := _end_of_old_run(build, own, own, context.now):
        return waits
    return to_report(build, report.marked_done(report.begin(build.status, run, context.now)), context)


def _new_run(build: ImageBuild, run: Run, own: list[Observation], context: Context) -> Decision:
    older = [seen for seen in own if seen.run < run.number]
    if waits := _end_of_old_run(build, older, own, context.now):
        return waits
    # the first one since somebody wanted it: builds are in that order, also where no operator looked
    since = min(build.created_at, context.now) if run.number == 1 else context.now
    return _same_run(build, report.begin(build.status, run, since), own, context)


def _end_of_old_run(
    build: ImageBuild, live: Iterable[Observation], own: Iterable[Observation], now: datetime
) -> Decision | None:
    """The next step until it has ended and its end is written."""
    return _end_pods(build, build.status, live, Reason.SUPERSEDED, now) or _last_words(build, own, now)


def _last_words(build: ImageBuild, own: Iterable[Observation], now: datetime) -> Report | None:
    """The end of the old run by what its pod said, if nobody has written that yet: what is pushed counts."""
    status = build.status
    for seen in own:
        if seen.uid == status.pod_uid and not seen.live and not status.over:
            ended = outcome(status, seen) or report.failed(status, seen.reason, seen.message, seen)
            return _of_old_run(build, ended, now)
    return None


def _of_old_run(build: ImageBuild, status: ImageBuildStatus, now: datetime) -> Report:
    """The newest generation counts as seen only when its run has begun."""
    return Report(status=seal(status, build.status, build.status.observed_generation or 0, now))


def _same_run(build: ImageBuild, status: ImageBuildStatus, own: list[Observation], context: Context) -> Decision:
    if status.over:
        return _over(build, status, own, context)
    if build.spec is None:
        return to_report(build, report.failed(status, Reason.SPEC_INVALID, build.problem), context)
    case = Case(build=build, spec=build.spec, context=context)
    config = context.config
    shown = {"effective": report.effective(build, build.spec, config), "trace": trace(build, status, config)}
    status = status.model_copy(update=shown)
    seen = _of_open_attempt(status, own)
    status = report.attempted(status, seen) if seen else status
    if (told := _asked_to_end(build, status, context)) is not None:
        return _end(case, status, seen, *told)
    if build.spec.suspend:
        return _suspended(case, status, seen)
    return attempt(case, status, seen)


def _of_open_attempt(status: ImageBuildStatus, own: Iterable[Observation]) -> Observation | None:
    """The pod of the attempt that is open, which the status need not know yet."""
    number = status.run.number if status.run else 0
    newest = max((seen for seen in own if seen.run == number), key=lambda seen: seen.attempt, default=None)
    if newest is None or (newest.uid != status.pod_uid and newest.attempt <= (status.attempt or 0)):
        return None
    return newest


def _over(build: ImageBuild, status: ImageBuildStatus, own: Iterable[Observation], context: Context) -> Decision:
    for seen in own:
        # its attempt was closed before it began; the last one's pod has ended, whatever an old view of it says
        if seen.live and not seen.ending and not _is_the_last(status, seen):
            return Stop(pod=seen, reason=Reason.STOPPED)
    expires = expires_at(build, status)
    if expires is not None and expires <= context.now:
        return Delete()
    if not build.unread:
        return to_report(build, status, context)
    if status.observed_generation == build.generation:  # what another version has said of it stays
        return Report(status=status, wake_at=wakes_at(build, status, context))
    told = status.model_copy(update={"reason": status.reason or Reason.UNKNOWN})
    return to_report(build, told, context)


def _is_the_last(status: ImageBuildStatus, seen: Observation) -> bool:
    """By its uid, too, where the status has it: its name may have been given once more, once it was gone."""
    return seen.name == status.pod_name and status.pod_uid in (None, seen.uid)


# --- stopping


def _asked_to_end(build: ImageBuild, status: ImageBuildStatus, context: Context) -> tuple[Reason, str] | None:
    if status.run is not None and build.cancelled_run == status.run.number:
        return Reason.CANCELLED, Reason.CANCELLED.row.sentence
    verdict = context.verdict
    ends = verdict is not None and verdict.reason in (Reason.SUPERSEDED, Reason.QUEUE_FULL)
    if verdict is not None and ends and status.run is not None and verdict.run == status.run.number:
        return verdict.reason, verdict.message
    return None


def _end(case: Case, status: ImageBuildStatus, seen: Observation | None, reason: Reason, message: str) -> Decision:
    """Ends the run; what is pushed by then counts all the same."""
    if seen is None:
        return case.fail(status, reason, message)
    if waits := _end_pods(case.build, status, [seen], reason, case.now):
        return waits
    if (done := outcome(status, seen)) is not None:
        return case.report(done)
    if seen.reason.row.fault in (Fault.USER, Fault.CONFIGURATION):
        reason, message = seen.reason, seen.message  # it had failed before it heard of the request
    return case.fail(status, reason, message, seen)


def _suspended(case: Case, status: ImageBuildStatus, seen: Observation | None) -> Decision:
    if seen is not None and (waits := _end_pods(case.build, status, [seen], Reason.SUSPENDED, case.now)):
        return waits
    if seen is not None and seen.reason is not Reason.SUSPENDED:
        return attempt(case, status, seen)
    return case.report(report.idle(report.closed(status), Reason.SUSPENDED))


def _end_pods(
    build: ImageBuild, status: ImageBuildStatus, pods: Iterable[Observation], reason: Reason, now: datetime
) -> Decision | None:
    """The next step until none of these pods lives."""
    for seen in pods:
        if seen.live and not seen.ending:
            return Stop(pod=seen, reason=reason)
        if seen.live:
            return _of_old_run(build, report.stopping(status, seen, reason), now)
    return None
