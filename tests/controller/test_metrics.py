"""What is counted, once the API server has taken it, and under which labels."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

import make
from controller.objects import BUILDS, PODS
from controller.stage import Stage
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.status import CacheStatus, FailureStatus, ImageBuildStatus, Phase, Run, Timings
from imagebuild.contract.reasons import Reason
from imagebuild.controller.cluster import ApiError, Call
from imagebuild.controller.metrics import Metrics, Now

DOCS = Path(__file__).parents[2] / "docs" / "operations.md"
NOW = Now(builds={Phase.RUNNING: 2}, waiting=3, running=2, queued=1, leads=True)

Sample = tuple[str, tuple[tuple[str, str], ...]]


def samples(text: str) -> dict[Sample, float]:
    """All of ours, without the buckets of histograms and the times of creation."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("imagebuild_") and not sample.name.endswith(("_bucket", "_created"))
    }


def status(phase: Phase, reason: Reason, *, run: int = 1, attempt: int = 1, **given: Any) -> ImageBuildStatus:
    return ImageBuildStatus(
        phase=phase,
        reason=reason,
        run=Run(number=run, inputs_hash="h"),
        attempt=attempt,
        queued_at=make.at(0),
        **{"pod_uid": f"pod-{attempt}", "failures": 0, **given},
    )


def counted(*steps: ImageBuildStatus) -> dict[str, float]:
    """What was counted on the way through these statuses, each written two seconds after the last."""
    metrics, last = Metrics(), ImageBuildStatus()
    for number, step in enumerate(steps, 1):
        metrics.written(build(last), step, make.at(0) + timedelta(seconds=2 * number))
        last = step
    found = samples(metrics.exposition().decode()).items()
    return {name + "".join(f" {value}" for _, value in labels): value for (name, labels), value in found if value}


def build(as_it_was: ImageBuildStatus) -> ImageBuild:
    return make.make_build(status=as_it_was)


STARTING = status(Phase.PENDING, Reason.STARTING)
BUILDING = status(Phase.RUNNING, Reason.BUILDING, started_at=make.at(5))
OVER: dict[str, Any] = {"started_at": make.at(5), "finished_at": make.at(25), "timings": Timings(pod=3)}
BUILT = status(Phase.SUCCEEDED, Reason.BUILT, **OVER, cache=CacheStatus(cached=4, total=6, summary="4/6"))
FAILED = status(Phase.FAILED, Reason.STEP_FAILED, **OVER)
LOSS = FailureStatus(reason=Reason.POD_LOST, message="it is gone")
RETRYING = status(Phase.PENDING, Reason.RETRYING, failure=LOSS, failures=1, pod_uid=None)
SECOND = status(Phase.PENDING, Reason.STARTING, attempt=2, failures=1)
LOST = status(Phase.FAILED, Reason.POD_LOST, attempt=2, failures=1)
REFUSED = status(Phase.FAILED, Reason.POD_REJECTED, attempt=0, pod_uid=None)
QUEUED = status(Phase.PENDING, Reason.QUEUED, attempt=0, pod_uid=None)
AGAIN = status(Phase.PENDING, Reason.STARTING, run=2)
INFO = {"imagebuild_info 0.1.0": 1}
QUEUE = {"imagebuild_queue_seconds_count": 1}
LASTED = {"imagebuild_start_seconds_count": 1, "imagebuild_start_seconds_sum": 3}
GOOD = {"imagebuild_build_seconds_count Succeeded": 1, "imagebuild_build_seconds_sum Succeeded": 20, **LASTED}
BAD = {"imagebuild_build_seconds_count Failed": 1, "imagebuild_build_seconds_sum Failed": 20, **LASTED}
STEPS = {"imagebuild_steps_total": 6, "imagebuild_steps_cached_total": 4}


@pytest.mark.parametrize(
    ("steps", "counts"),
    [
        pytest.param([STARTING], {**QUEUE, "imagebuild_queue_seconds_sum": 2}, id="a pod is there"),
        pytest.param(
            [QUEUED, QUEUED, STARTING, BUILDING], {**QUEUE, "imagebuild_queue_seconds_sum": 6}, id="it had to wait"
        ),
        pytest.param(
            [STARTING, BUILDING, BUILT, BUILT],
            {
                **QUEUE,
                "imagebuild_queue_seconds_sum": 2,
                "imagebuild_builds_finished_total Succeeded Built": 1,
                **GOOD,
                **STEPS,
            },
            id="a success, counted once",
        ),
        pytest.param(
            [STARTING, FAILED],
            {
                **QUEUE,
                "imagebuild_queue_seconds_sum": 2,
                "imagebuild_builds_finished_total Failed StepFailed": 1,
                "imagebuild_attempts_failed_total user StepFailed": 1,
                **BAD,
            },
            id="a failure",
        ),
        pytest.param(
            [STARTING, RETRYING, RETRYING, SECOND, LOST],
            {
                **QUEUE,
                "imagebuild_queue_seconds_sum": 2,
                "imagebuild_attempts_failed_total infrastructure PodLost": 2,
                "imagebuild_retries_total": 1,
                "imagebuild_builds_finished_total Failed PodLost": 1,
            },
            id="tried again in vain",
        ),
        pytest.param(
            [REFUSED], {"imagebuild_builds_finished_total Failed PodRejected": 1}, id="no pod is no failed attempt"
        ),
        pytest.param(
            [BUILT, AGAIN],
            {
                "imagebuild_queue_seconds_count": 2,
                "imagebuild_queue_seconds_sum": 6,
                "imagebuild_builds_finished_total Succeeded Built": 1,
                **GOOD,
                **STEPS,
            },
            id="a new run is no retry",
        ),
    ],
)  # fmt: skip
def test_a_status_that_was_taken_is_counted(steps: list[ImageBuildStatus], counts: dict[str, float]) -> None:
    assert counted(*steps) == {**counts, **INFO}


def exercised() -> Metrics:
    """With a sample of each metric."""
    metrics = Metrics()
    metrics.show(lambda: NOW)
    last = ImageBuildStatus()
    for step in (STARTING, RETRYING, SECOND, BUILT):
        metrics.written(build(last), step, make.at(9))
        last = step
    metrics.called(Call(verb="get", resource="pods", code="200", seconds=0.1))
    metrics.failed(ApiError(500, "", ""))
    metrics.failed(ValueError())
    metrics.dropped()
    metrics.spans_dropped(2)
    return metrics


def test_gauges_say_what_is_there_now() -> None:
    found = samples(exercised().exposition().decode())
    assert {name: value for (name, labels), value in found.items() if not labels} | {
        labels[0][1]: value for (name, labels), value in found.items() if name == "imagebuild_builds"
    } | {"": 0} == {
        "imagebuild_builds_waiting": 3,
        "imagebuild_builds_running": 2,
        "imagebuild_workqueue_depth": 1,
        "imagebuild_leader": 1,
        "imagebuild_retries_total": 1,
        "imagebuild_events_dropped_total": 1,
        "imagebuild_spans_dropped_total": 2,
        "imagebuild_queue_seconds_count": 1,
        "imagebuild_queue_seconds_sum": 9,
        "imagebuild_start_seconds_count": 1,
        "imagebuild_start_seconds_sum": 3,
        "imagebuild_steps_total": 6,
        "imagebuild_steps_cached_total": 4,
        "Pending": 0,
        "Running": 2,
        "Succeeded": 0,
        "Failed": 0,
        "": 0,
    }


def documented() -> Iterator[tuple[str, str, frozenset[str], str]]:
    """Name, kind, labels and meaning of each row of the table."""
    for row in re.findall(r"^\| `(imagebuild_\w+)` \| (\w+) \|([^|]*)\| (.+) \|$", DOCS.read_text(), re.MULTILINE):
        name, kind, labels, meaning = row
        yield name, kind, frozenset(re.findall(r"`(\w+)`", labels)), meaning


def exposed() -> Iterator[tuple[str, str, frozenset[str], str]]:
    endings = {"counter": "_total", "info": "_info"}
    for family in exercised().registry.collect():
        if family.name.startswith("imagebuild"):
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            yield family.name + endings.get(family.type, ""), family.type, frozenset(labels), family.documentation


def test_the_table_in_the_docs_has_every_metric_and_no_other() -> None:
    assert sorted(documented(), key=str) == sorted(exposed(), key=str)


async def scraped(stage: Stage) -> dict[Sample, float]:
    code, text = await stage.operators[-1].get("metrics")
    assert code == 200
    return samples(text)


async def test_a_builds_life_is_counted(stage: Stage) -> None:
    await stage.operator()
    refused = stage.api.fail("create", PODS, 503, times=2)
    stage.apply()
    stage.kubelet.vanish(await stage.running())
    await stage.reaches(attempt=2)
    await stage.succeeds()
    found = await scraped(stage)
    assert refused.met == 2
    assert found["imagebuild_builds_finished_total", (("phase", "Succeeded"), ("reason", "Built"))] == 1
    assert found["imagebuild_attempts_failed_total", (("fault", "infrastructure"), ("reason", "PodLost"))] == 1
    assert found["imagebuild_retries_total", ()] == 1
    assert found["imagebuild_builds", (("phase", "Succeeded"),)] == 1
    posts = (("resource", "pods"), ("verb", "create"))
    assert found["imagebuild_api_requests_total", (("code", "503"), *posts)] == 2
    assert found["imagebuild_api_requests_total", (("code", "201"), *posts)] == 2
    assert found["imagebuild_reconcile_errors_total", (("kind", "api"),)] == 2
    assert found["imagebuild_leader", ()] == 1


async def test_a_status_that_was_not_taken_is_not_counted(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    name = await stage.running()
    refused = stage.api.fail("update", f"{BUILDS}/status", 500, times=math.inf)
    stage.kubelet.end(name)
    await stage.api.until("two refusals", lambda: refused.met >= 2)
    finished = "imagebuild_builds_finished_total"
    assert not [sample for sample in await scraped(stage) if sample[0] == finished]
    stage.api.faults.clear()
    await stage.reaches(phase="Succeeded")
    assert [value for (name, _), value in (await scraped(stage)).items() if name == finished] == [1]


async def test_more_builds_and_namespaces_make_no_more_series(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    await stage.succeeds()
    stage.apply("other")
    await stage.succeeds(name="other")
    before = await scraped(stage)
    for _ in range(3):
        await stage.settled()  # each with a build of another name
    after = await scraped(stage)
    assert after.keys() == before.keys()
    assert not [sample for sample in after if "canary" in str(sample) or "team-" in str(sample)]
