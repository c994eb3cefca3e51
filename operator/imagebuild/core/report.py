"""Statuses: what happened, as users read it. Each function takes a status and gives the next; `seal` completes it."""

from __future__ import annotations

from datetime import datetime, timedelta

from imagebuild.api.config import OperatorConfig
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.status import (
    Effective,
    ImageBuildStatus,
    OutputStatus,
    Phase,
    Run,
    RunRecord,
    Success,
    Timings,
)
from imagebuild.api.timespan import short
from imagebuild.contract.reasons import Fault, Reason
from imagebuild.contract.result import BuildResult, Details
from imagebuild.core import reported
from imagebuild.core.archive import repository
from imagebuild.core.cache import branch_cache
from imagebuild.core.cachevolume import claim_name
from imagebuild.core.isolation import isolation
from imagebuild.core.limits import limit
from imagebuild.core.observe import Observation, State
from imagebuild.core.policy import policy
from imagebuild.core.trust import lowered, trust

_HISTORY = 5
FIRST_DELAY, _LONGEST_DELAY = timedelta(seconds=2), timedelta(minutes=5)
_LOOK_AGAIN = timedelta(seconds=30)
"""The longest pause between two looks for something that is missing."""
_OPEN_ATTEMPT = (
    *("pod_name", "pod_uid", "started_at", "finished_at", "duration", "timings", "archive", "failure"),
    *("next_retry_at", "turn_since"),
)
_MISSING = {reason for reason in Reason if reason.row.fault is Fault.WAITING} - {Reason.SUSPENDED, Reason.RETRYING}


def begin(old: ImageBuildStatus, run: Run, since: datetime) -> ImageBuildStatus:
    """The status of a new run: of the old one only the last success and a line of history stay. `since`: it waits."""
    return ImageBuildStatus(
        phase=Phase.PENDING,
        reason=Reason.QUEUED,
        run=run,
        attempt=0,
        failures=0,
        waits=0,
        queued_at=since,
        last_successful=old.last_successful,
        history=_remember(old),
    )


def waiting(status: ImageBuildStatus, reason: Reason, message: str = "") -> ImageBuildStatus:
    return status.model_copy(
        update={"phase": Phase.PENDING, "reason": reason, "message": message or reason.row.sentence}
    )


def idle(status: ImageBuildStatus, reason: Reason, message: str = "") -> ImageBuildStatus:
    """The run waits for somebody, and no limit counts: suspended, held, of a newer version."""
    return waiting(status, reason, message).model_copy(update={"turn_since": None, "waiting_since": None})


def queued(status: ImageBuildStatus, now: datetime, message: str = "") -> ImageBuildStatus:
    """The run waits for its turn, perhaps once more: from here counts timeouts.queue."""
    clocks = {"turn_since": status.turn_since or now, "waiting_since": None}
    return waiting(status, Reason.QUEUED, message).model_copy(update=clocks)


def missing(status: ImageBuildStatus, reason: Reason, message: str, now: datetime) -> ImageBuildStatus:
    """The run has had its turn, and waits for what is missing: from here counts timeouts.start."""
    clocks = {"turn_since": None, "waiting_since": status.waiting_since or now}
    return waiting(status, reason, message).model_copy(update=clocks)


def stopping(status: ImageBuildStatus, pod: Observation, reason: Reason) -> ImageBuildStatus:
    """The pod has been asked to end, and has not yet. Where its node is gone that may last."""
    told = f"{reason.row.sentence} Waits for the build pod {pod.name} to end."
    return status.model_copy(update={"reason": reason, "message": told})


def marked_done(status: ImageBuildStatus) -> ImageBuildStatus:
    reason = Reason.MARKED_DONE
    return status.model_copy(update={"phase": Phase.SUCCEEDED, "reason": reason, "message": reason.row.sentence})


def attempted(status: ImageBuildStatus, pod: Observation) -> ImageBuildStatus:
    """An attempt has a pod now: its identity is recorded, what was known of the attempt before is gone."""
    if status.pod_uid == pod.uid:
        return status
    cleared = status.model_copy(update=dict.fromkeys(_OPEN_ATTEMPT))
    return cleared.model_copy(update={"attempt": pod.attempt, "pod_name": pod.name, "pod_uid": pod.uid})


def under_way(status: ImageBuildStatus, pod: Observation) -> ImageBuildStatus:
    """The pod waits or runs."""
    runs = pod.state is State.RUNNING
    return status.model_copy(
        update={
            "phase": Phase.RUNNING if runs else Phase.PENDING,
            "reason": pod.reason,
            "message": pod.message or pod.reason.row.sentence,
            "started_at": pod.started_at,
            "turn_since": None if runs else status.turn_since,
        }
    )


def succeeded(status: ImageBuildStatus, pod: Observation, result: BuildResult) -> ImageBuildStatus:
    said, details = result.essentials, result.details
    images = details.images[:16]
    done = status.model_copy(
        update={
            **_ended(pod, details),
            "phase": Phase.SUCCEEDED,
            "reason": pod.reason,
            "message": reported.outcome(result),
            "waiting_since": None,
            "source": reported.source(pod),
            "output": OutputStatus(digest=said.digest, images=images, platform=details.platform),
            "cache": reported.cache(details),
        }
    )
    run = status.run.number if status.run else 1
    success = Success(
        run=run, digest=said.digest, images=images, commit=said.commit, time=pod.finished_at or pod.created_at
    )
    return done.model_copy(update={"last_successful": success})


def failed(status: ImageBuildStatus, reason: Reason, message: str, pod: Observation | None = None) -> ImageBuildStatus:
    result = pod.result if pod else None
    details = result.details if result else Details()
    said = message or reason.row.sentence
    return status.model_copy(
        update={
            **(_ended(pod, details) if pod else {}),
            "phase": Phase.FAILED,
            "reason": reason,
            "message": said,
            "next_retry_at": None,
            "waiting_since": None,
            "source": reported.source(pod) or status.source,
            "failure": reported.failure(reason, said, details),
        }
    )


def again(
    status: ImageBuildStatus,
    pod: Observation,
    reason: Reason,
    now: datetime,
    *,
    counted: bool,
    first_delay: timedelta = FIRST_DELAY,
) -> ImageBuildStatus:
    """The attempt is over and closed; another follows after a while that grows with each one."""
    failures, waits = (status.failures or 0) + counted, (status.waits or 0) + (not counted)
    at = now + (
        delay(failures, pod.uid, first_delay) if counted else min(delay(waits, pod.uid, first_delay), _LOOK_AGAIN)
    )
    detail = pod.message or pod.reason.row.sentence
    details = pod.result.details if pod.result else Details()
    return status.model_copy(
        update={
            "phase": Phase.PENDING,
            "reason": reason,
            "message": f"{pod.reason}: {detail}" if reason is Reason.RETRYING else detail,
            "failures": failures,
            "waits": waits,
            "pod_uid": None,
            "next_retry_at": at,
            "waiting_since": (status.waiting_since or now) if reason in _MISSING else None,
            "source": reported.source(pod) or status.source,
            "archive": reported.archive(pod),
            "failure": reported.failure(pod.reason, detail, details) if counted else None,
        }
    )


def lost(status: ImageBuildStatus, now: datetime, first_delay: timedelta = FIRST_DELAY) -> ImageBuildStatus:
    """The pod of the open attempt is gone: the attempt counts as a fault of the infrastructure."""
    failures = (status.failures or 0) + 1
    told = f"the build pod {status.pod_name} is gone"
    return status.model_copy(
        update={
            "phase": Phase.PENDING,
            "reason": Reason.RETRYING,
            "message": f"{Reason.POD_LOST}: {told}",
            "failure": reported.failure(Reason.POD_LOST, told, Details()),
            "failures": failures,
            "pod_uid": None,
            "next_retry_at": now + delay(failures, status.pod_uid or "", first_delay),
            "waiting_since": None,
        }
    )


def closed(status: ImageBuildStatus) -> ImageBuildStatus:
    """The attempt is closed without having done anything, and the next one may follow at once."""
    return status.model_copy(update={"pod_uid": None, "next_retry_at": None, "waiting_since": None})


def delay(times: int, seed: str, first: timedelta = FIRST_DELAY) -> timedelta:
    """2 s, 4 s, 8 s … 5 min, each up to a quarter longer. The same pod gives the same: a restart changes nothing."""
    spread = 1 + sum(seed.encode()) % 64 / 256
    doublings = min(max(times, 1) - 1, 16)
    return min(first * (1 << doublings), _LONGEST_DELAY) * spread


def effective(build: ImageBuild, spec: ImageBuildSpec, config: OperatorConfig) -> Effective:
    spec, config = lowered(spec, config)
    cache = branch_cache(build, spec)
    return Effective(
        policy=found.match if (found := policy(config, build.namespace)) else None,
        trust=trust(spec, config),
        isolation=isolation(config, build.namespace),
        builder=config.builder.image,
        cache_repository=cache.repository if cache else None,
        cache_import=cache.imports if cache else None,
        cache_export=cache.export if cache else None,
        cache_volume=claim_name(build, spec),
        archive=repository(spec, config, build.namespace),
        timeout=limit(spec, config, "build") or "",
    )


def _remember(old: ImageBuildStatus) -> tuple[RunRecord, ...]:
    if old.run is None:
        return ()
    over = old.phase if old.phase is not None and old.phase.terminal else Phase.FAILED
    record = RunRecord(
        run=old.run.number,
        phase=over,
        reason=(old.reason or Reason.UNKNOWN) if over is old.phase else Reason.SUPERSEDED,
        digest=old.output.digest if old.output else None,
        commit=old.source.commit if old.source else None,
        archive=old.archive.image if old.archive else None,
        finished_at=old.finished_at,
    )
    return (record, *old.history)[:_HISTORY]


def _ended(pod: Observation, details: Details) -> dict[str, object]:
    took = (pod.finished_at - pod.started_at).total_seconds() if pod.finished_at and pod.started_at else None
    start = max(0.0, (pod.started_at - pod.created_at).total_seconds()) if pod.started_at else 0.0
    spent = details.timings
    return {
        "started_at": pod.started_at,
        "finished_at": pod.finished_at,
        "duration": None if took is None else short(took),
        "archive": reported.archive(pod),
        "timings": Timings(pod=start, fetch=spent.fetch, daemon=spent.daemon, solve=spent.solve, total=spent.total),
    }
