"""`ImageBuild.status`: what became of it. Written by the operator alone, at most about 8 KiB."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, PlainSerializer

from imagebuild.api.model import Model
from imagebuild.contract.plan import CacheExport, CacheImport
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import LookUp


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as Kubernetes writes times."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


Time = Annotated[datetime, PlainSerializer(timestamp, return_type=str)]


class Phase(StrEnum):
    PENDING = "Pending"
    """Waits for its turn, for something that is missing, or for the next attempt."""
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"

    @property
    def terminal(self) -> bool:
        return self in (Phase.SUCCEEDED, Phase.FAILED)


class Condition(Model):
    """As in metav1.Condition; Reconciling and Stalled are kstatus's."""

    type: str
    """Ready, Succeeded, Finished, Reconciling or Stalled."""
    status: str
    """True, False or Unknown."""
    reason: str
    """As in status.reason."""
    message: str
    """As in status.message."""
    observed_generation: int
    """The generation of the spec that this is about."""
    last_transition_time: Time
    """When it last changed between True, False and Unknown."""


class Run(Model):
    number: int
    """Counts from 1; a new run starts when the build inputs change or a rebuild is asked for."""
    inputs_hash: str
    """Over the build inputs as written; another one means another run."""
    rebuild_at: Time | None = None
    """The annotation that asked for this run, if one did."""


class SourceStatus(Model):
    commit: str | None = None
    """The full id of what was built."""
    branch: str | None = None
    """The branch that named the cache."""


class OutputStatus(Model):
    digest: str | None = None
    """Of the pushed manifest or index."""
    images: tuple[str, ...] = ()
    """The references pushed, with their placeholders filled."""
    platform: str | None = None
    """Such as linux/amd64."""


class Success(Model):
    """What the last successful run gave; it stays while later runs go on or fail."""

    run: int
    """Its number."""
    digest: str | None = None
    """Of the pushed manifest or index."""
    images: tuple[str, ...] = ()
    """The references pushed."""
    commit: str | None = None
    """The full id of what was built."""
    time: Time
    """When it ended."""


class CacheImportStatus(Model):
    ref: str
    """repository:tag."""
    result: LookUp
    """Found, NotFound, Unauthorized, Timeout or Error. What is not found is left out of the build."""


class CacheExportStatus(Model):
    ref: str
    """repository:tag."""
    error: str | None = None
    """Why the cache was not written; the build succeeded all the same."""


class CacheStatus(Model):
    cached: int
    """Steps that came from the cache …"""
    total: int
    """… of so many. FROM lines are not steps."""
    summary: str
    """The two as cached/total, for the table that kubectl prints."""
    imports: tuple[CacheImportStatus, ...] = ()
    """The refs that were looked for."""
    export: CacheExportStatus | None = None
    """The ref that was written."""


class Timings(Model):
    """Seconds. `fetch` and `daemon` run side by side."""

    pod: float = 0.0
    """From the pod's creation to the container's start."""
    fetch: float = 0.0
    """Until the source was there."""
    daemon: float = 0.0
    """Until buildkitd answered."""
    solve: float = 0.0
    """From buildctl's start to its end: the build, the push, the cache."""
    total: float = 0.0
    """From the container's start to its end."""


class FailureStatus(Model):
    reason: Reason
    """As in status.reason."""
    message: str
    """What happened to this build."""
    step: str | None = None
    """As BuildKit names it: [build 3/7] RUN make."""
    line: int | None = None
    """Of the Dockerfile."""
    exit_code: int | None = None
    """Of the failing step."""
    log_tail: str | None = None
    """The last lines that the failing step wrote; all of them are in the log of the pod."""
    next_step: str | None = None
    """What to do about it."""


class ArchiveStatus(Model):
    image: str | None = None
    """repository@sha256:… of an artifact with log.txt.gz and record.json; imagebuild logs reads it."""
    error: str | None = None
    """Why the log was not archived, and what to do; the build ended as it would have all the same."""


class RunRecord(Model):
    """A run that is over, without its log."""

    run: int
    """Its number."""
    phase: Phase
    """Succeeded or Failed."""
    reason: Reason
    """Why it ended so."""
    digest: str | None = None
    """Of what it pushed."""
    commit: str | None = None
    """The full id of what was built."""
    archive: str | None = None
    """As in status.archive.image, of its last attempt."""
    finished_at: Time | None = None
    """When it ended."""


class Effective(Model):
    """What the operator used where the spec leaves it open."""

    policy: str | None = None
    """The `match` of the policy in `namespaces` that is in force."""
    trust: str | None = None
    """Trusted or Untrusted, by the administrator or by spec.trust."""
    isolation: str
    """The isolation mode, which the administrator sets."""
    builder: str
    """The builder image."""
    cache_repository: str | None = None
    """Where cache refs are kept; absent where there is no cache."""
    cache_import: CacheImport | None = None
    """Which refs are read."""
    cache_export: CacheExport | None = None
    """When a ref is written."""
    cache_volume: str | None = None
    """The claim that BuildKit's state is on."""
    archive: str | None = None
    """The repository where the log is archived."""
    timeout: str
    """How long the build may take."""


class TraceStatus(Model):
    """The trace of the run. It stays the same for all attempts."""

    id: str
    """As collectors and their tools know it."""
    parent: str | None = None
    """The span that the annotation imagebuild.dev/traceparent named when the run began."""
    link: str | None = None
    """Where the administrator says that people see it."""


class ImageBuildStatus(Model):
    observed_generation: int | None = None
    """The generation of the spec that this status is about; older than metadata.generation: not seen yet."""
    phase: Phase | None = None
    """Pending, Running, Succeeded or Failed."""
    reason: Reason | None = None
    """One word of the table of reasons."""
    message: str | None = None
    """The same as a sentence, about this build."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = ()
    """Ready, Succeeded and Finished, for kubectl wait; Reconciling and Stalled, for Argo CD and Flux."""
    run: Run | None = None
    """The run that is due, goes on, or was the last one."""
    attempt: int | None = None
    """Which pod of the run this is, counted from 1."""
    failures: int | None = None
    """Attempts of this run that met a fault of the infrastructure."""
    waits: int | None = None
    """Attempts of this run that found something missing; they count against no limit."""
    pod_name: str | None = None
    """The pod of the current attempt; kubectl logs shows its log."""
    pod_uid: Annotated[str | None, Field(alias="podUID")] = None
    """Of that pod, while the attempt is open."""
    queued_at: Time | None = None
    """Since when the run waits for its turn. The first one does since the ImageBuild was applied."""
    started_at: Time | None = None
    """When the container of the current attempt started."""
    finished_at: Time | None = None
    """When it ended."""
    duration: str | None = None
    """From startedAt to finishedAt, such as 1m30s."""
    next_retry_at: Time | None = None
    """When the next attempt may start."""
    turn_since: Time | None = None
    """Since when the run waits for its turn, perhaps once more; timeouts.queue counts from here."""
    waiting_since: Time | None = None
    """Since when the run, which has had its turn, waits for what is missing; timeouts.start counts from here."""
    timings: Timings | None = None
    """Where the time went, in seconds. `fetch` and `daemon` run side by side."""
    effective: Effective | None = None
    """What the operator used where the spec leaves it open."""
    trace: TraceStatus | None = None
    """Where the operator's configuration has tracing.endpoint: the trace of the run."""
    source: SourceStatus | None = None
    """What was built."""
    output: OutputStatus | None = None
    """What came out."""
    last_successful: Success | None = None
    """What the last successful run gave; it stays while later runs go on or fail."""
    cache: CacheStatus | None = None
    """What the cache was good for."""
    archive: ArchiveStatus | None = None
    """Where the log of the attempt is once its pod is gone."""
    failure: FailureStatus | None = None
    """Why the run failed, or its last attempt, while it waits for the next one."""
    warnings: Annotated[tuple[str, ...], Field(max_length=8)] = ()
    """What is set on the ImageBuild and has no effect, and why; that a log was not archived, and what to do."""
    history: Annotated[tuple[RunRecord, ...], Field(max_length=5)] = ()
    """The runs before this one, newest first."""

    @property
    def newest_attempt(self) -> tuple[int, int]:
        """The numbers of the run and of the attempt that the status has come to; 0 where there is none."""
        return self.run.number if self.run else 0, self.attempt or 0

    @property
    def over(self) -> bool:
        """The run has ended."""
        return self.phase is not None and self.phase.terminal
