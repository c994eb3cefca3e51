"""What decide() looks at, and what it can answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from imagebuild.api.config import OperatorConfig
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.status import ImageBuildStatus
from imagebuild.api.timespan import seconds
from imagebuild.contract.reasons import Reason
from imagebuild.core import report
from imagebuild.core.admit import Candidate, Verdict
from imagebuild.core.archive import ignored
from imagebuild.core.conditions import seal
from imagebuild.core.observe import Observation
from imagebuild.core.part import Manifest
from imagebuild.core.run import next_request


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Write this status, if it is not what is there."""

    status: ImageBuildStatus
    wake_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The build could start: ask for a slot. The status is for the case that there is none yet."""

    candidate: Candidate
    status: ImageBuildStatus
    wake_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Create this pod and decide again. The status is for the case that the API server refuses it."""

    manifest: Manifest
    status: ImageBuildStatus
    claim: Manifest | None = None
    """Of its cache volume, to be made first where it is not there."""


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
class Delete:
    """Delete the ImageBuild: its time is over (ttlAfterFinished)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """Events will tell when there is something to do."""


Decision = Report | Queue | Create | Stop | Confirm | Delete | Nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a decision may look at beside the ImageBuild."""

    pods: tuple[Observation, ...]
    """All build pods under this namespace and name, whoever owns them."""
    config: OperatorConfig
    """As it is in force in the build's namespace: core/policy.py."""
    now: datetime
    verdict: Verdict | None = None
    """What admission says; None as long as it was not asked, or has not answered."""
    gone: str = ""
    """A pod that the API server has just said does not exist."""
    first_delay: timedelta = report.FIRST_DELAY
    """From an attempt that failed to the next one; it doubles with each further one."""

    @property
    def admitted(self) -> bool:
        return self.verdict is not None and self.verdict.reason is Reason.STARTING


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An ImageBuild that can be built, and what to look at."""

    build: ImageBuild
    spec: ImageBuildSpec
    context: Context

    @property
    def config(self) -> OperatorConfig:
        return self.context.config

    @property
    def now(self) -> datetime:
        return self.context.now

    def report(self, status: ImageBuildStatus, wake_at: datetime | None = None) -> Report:
        return to_report(self.build, status, self.context, wake_at)

    def fail(self, status: ImageBuildStatus, reason: Reason, message: str, pod: Observation | None = None) -> Report:
        return self.report(report.failed(status, reason, message, pod))


def to_report(build: ImageBuild, status: ImageBuildStatus, context: Context, wake_at: datetime | None = None) -> Report:
    """The status, completed; wakes at the time given, when a request that is dated later comes due, or to expire."""
    told = status.model_copy(update={"warnings": _warnings(build, status, context.config)})
    sealed = seal(told, build.status, build.generation, context.now)
    return Report(status=sealed, wake_at=wakes_at(build, sealed, context, wake_at))


def wakes_at(
    build: ImageBuild, status: ImageBuildStatus, context: Context, wake_at: datetime | None = None
) -> datetime | None:
    """The first of the time given, that of a request that is dated later, and that of the object's end."""
    wishes = (wake_at, next_request(build, context.now), expires_at(build, status))
    return min((at for at in wishes if at is not None), default=None)


def _warnings(build: ImageBuild, status: ImageBuildStatus, config: OperatorConfig) -> tuple[str, ...]:
    ignored_archive = ignored(build.spec, config) if build.spec else ""
    failed_archive = status.archive.error if status.archive and status.archive.error else ""
    return tuple(filter(None, (*build.warnings, ignored_archive, failed_archive)))


def expires_at(build: ImageBuild, status: ImageBuildStatus) -> datetime | None:
    """When the ImageBuild is to be deleted, if its run is over and nobody would create it again."""
    ttl = build.spec.ttl_after_finished if build.spec else None
    if ttl is None or build.kept_by or not status.over:
        return None
    ended = next((each.last_transition_time for each in status.conditions if each.type == "Finished"), None)
    return ended + timedelta(seconds=seconds(ttl)) if ended else None
