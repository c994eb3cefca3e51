"""What the operator counts, for Prometheus. Counted is what the API server has taken, never what was only tried.

Labels have values from closed lists: phases, reasons, verbs, resources, status codes. No build, namespace or image is
one. Gauges are computed from the operator's view of the cluster at each scrape; counters begin at zero at each start.
docs/operations.md has the table; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from imagebuild import __version__
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.status import ImageBuildStatus, Phase
from imagebuild.contract.reasons import Reason
from imagebuild.controller.cluster import Call, ClusterError

_BUILD_SECONDS = (5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_START_SECONDS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
_QUEUE_SECONDS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """The operator at the moment of a scrape."""

    builds: Mapping[Phase, int]
    waiting: int
    running: int
    queued: int
    leads: bool


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter, histogram = partial(Counter, registry=self.registry), partial(Histogram, registry=self.registry)
        self._finished = counter("imagebuild_builds_finished", "Runs that are over.", ["phase", "reason"])
        told = "Attempts whose pod failed or was lost, retried or not."
        self._attempts_failed = counter("imagebuild_attempts_failed", told, ["reason", "fault"])
        self._retries = counter("imagebuild_retries", "Attempts after the first one of a run.")
        told = "From the beginning of a run, of the first since it was applied, until it has its first pod."
        self._queue_seconds = histogram("imagebuild_queue_seconds", told, buckets=_QUEUE_SECONDS)
        told = "From the creation of a run's last pod to the start of its container."
        self._start_seconds = histogram("imagebuild_start_seconds", told, buckets=_START_SECONDS)
        told = "From the start of the container of a run's last pod to its end."
        self._build_seconds = histogram("imagebuild_build_seconds", told, ["phase"], buckets=_BUILD_SECONDS)
        for phase in (Phase.SUCCEEDED, Phase.FAILED):
            self._build_seconds.labels(phase)  # there from the start, as what has no labels is
        self._steps = counter("imagebuild_steps", "Steps of builds that succeeded.")
        self._cached = counter("imagebuild_steps_cached", "Those of them that came from the cache.")
        told = "Requests to the API server, without those of the watches. Code none: there was no answer."
        self._calls = counter("imagebuild_api_requests", told, ["verb", "resource", "code"])
        told = "How long they took."
        self._call_seconds = histogram("imagebuild_api_request_seconds", told, ["verb", "resource"], buckets=_LATENCY)
        told = "Looks at an ImageBuild that failed, and are repeated. Kind: api or internal."
        self._errors = counter("imagebuild_reconcile_errors", told, ["kind"])
        for kind in ("api", "internal"):
            self._errors.labels(kind)  # there from the start, so that the first one is a rise
        told = "Events that were not posted, because the API server was slow or refused them."
        self._dropped = counter("imagebuild_events_dropped", told)
        told = "Spans of traces that were not sent, because the collector was slow or refused them."
        self._spans_dropped = counter("imagebuild_spans_dropped", told)
        Info("imagebuild", "The operator's version.", registry=self.registry).info({"version": __version__})
        ProcessCollector(registry=self.registry)

    def show(self, now: Callable[[], Now]) -> None:
        """The gauges, asked of `now` at each scrape."""
        self.registry.register(_Gauges(now))

    def exposition(self) -> bytes:
        return generate_latest(self.registry)

    def called(self, call: Call) -> None:
        self._calls.labels(call.verb, call.resource, call.code).inc()
        self._call_seconds.labels(call.verb, call.resource).observe(call.seconds)

    def failed(self, error: Exception) -> None:
        self._errors.labels("api" if isinstance(error, ClusterError) else "internal").inc()

    def dropped(self) -> None:
        self._dropped.inc()

    def spans_dropped(self, number: int) -> None:
        self._spans_dropped.inc(number)

    def written(self, build: ImageBuild, status: ImageBuildStatus, now: datetime) -> None:
        """The API server has taken this status; `build` is the ImageBuild as it was."""
        old = build.status if _same_run(build.status, status) else ImageBuildStatus()
        if (status.attempt or 0) > (old.attempt or 0):
            self._attempt(old, status, now)
        if (cause := failed_attempt(old, status)) is not None:
            self._attempts_failed.labels(cause, cause.row.fault).inc()
        if status.phase is not None and status.phase.terminal and status.phase is not old.phase:
            self._over(status.phase, status)

    def _attempt(self, old: ImageBuildStatus, status: ImageBuildStatus, now: datetime) -> None:
        if old.attempt:
            self._retries.inc()
        elif status.queued_at is not None:
            self._queue_seconds.observe(max(0.0, (now - status.queued_at).total_seconds()))

    def _over(self, phase: Phase, status: ImageBuildStatus) -> None:
        self._finished.labels(phase, status.reason or Reason.UNKNOWN).inc()
        if status.started_at is not None and status.finished_at is not None:
            took = (status.finished_at - status.started_at).total_seconds()
            self._build_seconds.labels(phase).observe(max(0.0, took))
            self._start_seconds.observe(status.timings.pod if status.timings else 0.0)
        if status.cache is not None:
            self._steps.inc(status.cache.total)
            self._cached.inc(status.cache.cached)


class _Gauges(Collector):
    def __init__(self, now: Callable[[], Now]) -> None:
        self._now = now

    def collect(self) -> Iterator[Metric]:
        now = self._now()
        builds = GaugeMetricFamily(
            "imagebuild_builds", "ImageBuilds there are, of the replica that leads.", labels=["phase"]
        )
        for phase in Phase:
            builds.add_metric([phase], now.builds.get(phase, 0))
        yield builds
        yield GaugeMetricFamily("imagebuild_builds_waiting", "ImageBuilds that wait for a slot.", now.waiting)
        told = "ImageBuilds with a pod that has not ended, of the replica that leads."
        yield GaugeMetricFamily("imagebuild_builds_running", told, now.running)
        yield GaugeMetricFamily("imagebuild_workqueue_depth", "ImageBuilds that wait to be looked at.", now.queued)
        yield GaugeMetricFamily("imagebuild_leader", "1: this replica works; 0: it stands by.", now.leads)


def failed_attempt(old: ImageBuildStatus, status: ImageBuildStatus) -> Reason | None:
    """Why an attempt has failed between two statuses of a run, if one has."""
    if status.phase is Phase.FAILED and old.phase is not Phase.FAILED:
        return status.reason if status.pod_uid is not None else None  # else there was no pod
    if (status.failures or 0) > (old.failures or 0):
        return status.failure.reason if status.failure else Reason.UNKNOWN
    return None


def _same_run(old: ImageBuildStatus, new: ImageBuildStatus) -> bool:
    return old.run is not None and new.run is not None and old.run.number == new.run.number
