"""One attempt of a run: what its pod says, and when the next one may have a pod.

an attempt is open ───▶ report its pod; when it ended: succeed, fail, or close the attempt
no attempt is open ───▶ wait for what is missing, for the time, for a slot; else create a pod
"""

from __future__ import annotations

from datetime import datetime

from imagebuild.api.status import ImageBuildStatus, Phase
from imagebuild.contract.plan import PlanTooLargeError
from imagebuild.contract.reasons import Fault, Reason
from imagebuild.core import report
from imagebuild.core.admit import Candidate
from imagebuild.core.archive import reserved
from imagebuild.core.attestations import missing_scanner
from imagebuild.core.cachevolume import claim, kept_claim, not_kept
from imagebuild.core.decision import Case, Create, Decision, Queue, Report, Stop
from imagebuild.core.frontend import unallowed_frontend
from imagebuild.core.groups import group
from imagebuild.core.limits import limit, retries, span
from imagebuild.core.observe import DONE, Observation, State
from imagebuild.core.part import Manifest
from imagebuild.core.pod import pod, pod_hash
from imagebuild.core.policy import refusal
from imagebuild.core.trust import distrusted, lowered


def attempt(case: Case, status: ImageBuildStatus, seen: Observation | None) -> Decision:
    """`seen` is the pod of the open attempt, if there is one in view."""
    if seen is not None:
        return _live(case, status, seen) if seen.live else _ended(case, status, seen)
    if status.pod_uid is not None:
        return _missing(case, status)
    return _next(case, status)


def outcome(status: ImageBuildStatus, seen: Observation) -> ImageBuildStatus | None:
    """The success that an ended pod reports, if it does."""
    if seen.reason in DONE and seen.result is not None:
        return report.succeeded(status, seen, seen.result)
    return None


# --- an attempt is open


def _live(case: Case, status: ImageBuildStatus, seen: Observation) -> Decision:
    if seen.state is State.RUNNING:
        return case.report(report.under_way(status, seen))
    told = report.under_way(_waits(case, status, seen), seen)
    if seen.ending:
        return case.report(told)
    if _corrected(case, status, seen):
        return case.report(report.waiting(report.closed(told), Reason.STARTING))
    if _late(case, told):
        return Stop(pod=seen, reason=Reason.START_TIMED_OUT)  # the run ends when it is gone
    return case.report(told, _deadline(case, told))


def _waits(case: Case, status: ImageBuildStatus, seen: Observation) -> ImageBuildStatus:
    """A pod that a queue of others holds back waits for its turn still: what is missing counts from its end."""
    if seen.reason is Reason.SCHEDULING_GATED:
        known = case.build.status
        # since our own queue: the other one goes on where that has ended. Until this run is written it is another's
        since = known.turn_since if known.run == status.run else None
        clocks = {"turn_since": since or seen.created_at, "waiting_since": None}
        return report.waiting(status, seen.reason).model_copy(update=clocks)
    was_gated = case.build.status.reason is Reason.SCHEDULING_GATED
    return report.missing(status, seen.reason, "", case.now if was_gated else seen.created_at)


def _corrected(case: Case, status: ImageBuildStatus, seen: Observation) -> bool:
    """The spec has changed since this pod was made, and another one would be made now."""
    if not 0 < seen.generation < case.build.generation:
        return False
    try:
        return pod_hash(_manifest(case, status, seen.attempt)) != seen.pod_hash
    except PlanTooLargeError:
        return False


def _ended(case: Case, status: ImageBuildStatus, seen: Observation) -> Decision:
    if (done := outcome(status, seen)) is not None:
        return case.report(done)
    row = seen.reason.row
    if row.fault is Fault.WAITING or seen.reason is Reason.SUPERSEDED:
        # Superseded, and yet this run is the due one: the inputs were changed back before the pod had ended
        waits = _again(case, status, seen, seen.reason)
        return _late(case, waits) or case.report(waits, waits.next_retry_at)
    if row.retried and (status.failures or 0) < retries(case.spec, case.config):
        retry = _again(case, status, seen, Reason.RETRYING)
        return case.report(retry, retry.next_retry_at)
    return case.fail(status, seen.reason, seen.message, seen)


def _again(case: Case, status: ImageBuildStatus, seen: Observation, reason: Reason) -> ImageBuildStatus:
    first = case.context.first_delay
    return report.again(status, seen, reason, case.now, counted=reason is Reason.RETRYING, first_delay=first)


def _missing(case: Case, status: ImageBuildStatus) -> Decision:
    """The recorded pod is gone. That is an attempt lost, never a reason to build the same attempt again."""
    if status.phase is Phase.PENDING and (late := _late(case, status)):
        return late
    if (status.failures or 0) >= retries(case.spec, case.config):
        return case.fail(status, Reason.POD_LOST, f"the build pod {status.pod_name} is gone")
    lost = report.lost(status, case.now, case.context.first_delay)
    return case.report(lost, lost.next_retry_at)


# --- none is


def _next(case: Case, status: ImageBuildStatus) -> Decision:
    if never := _never(case, status):
        return never
    if late := _late(case, status):
        return late
    if status.next_retry_at is not None and status.next_retry_at > case.now:
        return case.report(status, status.next_retry_at)
    if found := _in_the_way(case, status):
        return found
    if case.config.hold:
        return case.report(report.idle(status, Reason.HELD))
    return _turn(case, status)


def _never(case: Case, status: ImageBuildStatus) -> Report | None:
    """What no time and no slot would change."""
    if case.build.unknown_fields:
        told = f"unknown to this operator: {', '.join(case.build.unknown_fields[:5])}"
        return case.report(report.idle(status, Reason.OPERATOR_TOO_OLD, told))
    namespace, (spec, config) = case.build.namespace, lowered(case.spec, case.config)
    told = (
        distrusted(case.spec, case.config, namespace)
        or refusal(spec, config, namespace)
        or not_kept(spec, config)
        or reserved(spec, config)
    )
    if told:
        return case.fail(status, Reason.NOT_ALLOWED, told)
    if told := unallowed_frontend(spec, config, namespace):
        return case.fail(status, Reason.FRONTEND_NOT_ALLOWED, told)
    if told := missing_scanner(case.spec, case.config):
        return case.fail(status, Reason.SPEC_INVALID, told)
    return None


def _in_the_way(case: Case, status: ImageBuildStatus) -> Decision | None:
    """Pods that must be gone first: two live ones must never push the same tag, also where the ImageBuild was deleted
    and created again. Of those that only found something missing the last one is enough to keep."""
    for seen in case.context.pods:
        own = seen.owner_uid == case.build.uid
        if seen.live and own and not seen.ending:
            return Stop(pod=seen, reason=Reason.SUPERSEDED)  # its attempt was closed before it had begun
        if seen.live:
            told = report.queued(status, case.now, f"waits for the pod {seen.name} to end")
            return case.report(told, _deadline(case, told))
        waited = seen.reason.row.fault is Fault.WAITING and seen.reason is not Reason.SUSPENDED
        if waited and own and not seen.deleting:
            return Stop(pod=seen, reason=seen.reason)
    return None


def _turn(case: Case, status: ImageBuildStatus) -> Decision:
    if case.context.admitted:
        return _create(case, status)
    build, verdict = case.build, case.context.verdict
    told = report.queued(status, case.now, verdict.message if verdict else "")
    candidate = Candidate(
        key=(build.namespace, build.name),
        run=status.run.number if status.run else 1,
        since=status.queued_at or case.now,
        group=group(build),
        claim=claim(build),
        new=build.status.run != status.run,
    )
    wanted = case.report(told, _deadline(case, told))
    return Queue(candidate=candidate, status=wanted.status, wake_at=wanted.wake_at)


def _create(case: Case, status: ImageBuildStatus) -> Decision:
    try:
        manifest = _manifest(case, status, (status.attempt or 0) + 1)
    except PlanTooLargeError as error:
        return case.fail(status, Reason.SPEC_INVALID, str(error))
    waits = report.missing(status, Reason.STARTING, "", case.now)
    return Create(manifest=manifest, status=waits, claim=kept_claim(case.build, case.spec, case.now))


def _manifest(case: Case, status: ImageBuildStatus, number: int) -> Manifest:
    assert status.run is not None
    source, trace = status.source, status.trace
    return pod(case.build, case.spec, status.run, number, case.config, built_before=source, trace=trace)


# --- time


def _deadline(case: Case, status: ImageBuildStatus) -> datetime | None:
    """When the run, which waits, is given up. On hold none is: what it waits for may be held back, too."""
    if case.config.hold:
        return None
    if status.waiting_since is not None:
        return status.waiting_since + span(case.spec, case.config, "start")
    if status.turn_since is not None:
        return status.turn_since + span(case.spec, case.config, "queue")
    return None


def _late(case: Case, status: ImageBuildStatus) -> Report | None:
    """The end of a run that has waited too long."""
    deadline = _deadline(case, status)
    if deadline is None or case.now < deadline:
        return None
    if status.waiting_since is None:
        told = f"It waited for its turn for {limit(case.spec, case.config, 'queue')}."
        return case.fail(status, Reason.QUEUE_TIMED_OUT, told)
    told = f"After {limit(case.spec, case.config, 'start')}: {status.reason}: {status.message}"
    return case.fail(status, Reason.START_TIMED_OUT, told)
