"""`ImageBuild.status`: what became of it. Written by the operator alone, at most about 8 KiB."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, PlainSerializer

from imagebuild.api.model import Model
from imagebuild.contract.plan import CacheExport, CacheImport
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import LookUp


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as Kubernetes writes times."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


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
    status: str
    reason: str
    message: str
    observed_generation: int
    last_transition_time: Time


class Run(Model):
    number: int
    """Counts from 1; a new run starts when the build inputs change or a rebuild is asked for."""
    inputs_hash: str
    rebuild_at: Time | None = None
    """The annotation that asked for this run, if one did."""


class SourceStatus(Model):
    commit: str | None = None
    branch: str | None = None


class OutputStatus(Model):
    digest: str | None = None
    """Of the pushed manifest or index."""
    images: tuple[str, ...] = ()
    """The references pushed, with their placeholders filled."""
    platform: str | None = None


class Success(Model):
    """What the last successful run gave; it stays while later runs go on or fail."""

    run: int
    digest: str | None = None
    images: tuple[str, ...] = ()
    commit: str | None = None
    time: Time


class CacheImportStatus(Model):
    ref: str
    result: LookUp


class CacheExportStatus(Model):
    ref: str
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


class Timings(Model):
    """Seconds. `fetch` and `daemon` run side by side; `pod` is from the pod's creation to the container's start."""

    pod: float = 0.0
    fetch: float = 0.0
    daemon: float = 0.0
    solve: float = 0.0
    total: float = 0.0
    """From the container's start to its end."""


class FailureStatus(Model):
    reason: Reason
    message: str
    step: str | None = None
    line: int | None = None
    """Of the Dockerfile."""
    exit_code: int | None = None
    """Of the failing step."""
    log_tail: str | None = None
    next_step: str | None = None


class RunRecord(Model):
    """A run that is over, without its log."""

    run: int
    phase: Phase
    reason: Reason
    digest: str | None = None
    commit: str | None = None
    finished_at: Time | None = None


class Effective(Model):
    """What the operator used where the spec leaves it open."""

    isolation: str
    builder: str
    cache_repository: str | None = None
    cache_import: CacheImport | None = None
    cache_export: CacheExport | None = None
    timeout: str


class ImageBuildStatus(Model):
    observed_generation: int | None = None
    phase: Phase | None = None
    reason: Reason | None = None
    message: str | None = None
    conditions: Annotated[
        tuple[Condition, ...],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = ()
    run: Run | None = None
    attempt: int | None = None
    """Which pod of the run this is, counted from 1."""
    failures: int | None = None
    """Attempts of this run that met a fault of the infrastructure."""
    waits: int | None = None
    """Attempts of this run that found something missing; they count against no limit."""
    pod_name: str | None = None
    pod_uid: Annotated[str | None, Field(alias="podUID")] = None
    queued_at: Time | None = None
    started_at: Time | None = None
    """When the container of the current attempt started."""
    finished_at: Time | None = None
    duration: str | None = None
    """From startedAt to finishedAt, such as 1m30s."""
    next_retry_at: Time | None = None
    timings: Timings | None = None
    effective: Effective | None = None
    source: SourceStatus | None = None
    output: OutputStatus | None = None
    last_successful: Success | None = None
    cache: CacheStatus | None = None
    failure: FailureStatus | None = None
    history: Annotated[tuple[RunRecord, ...], Field(max_length=5)] = ()
    """The runs before this one, newest first."""
