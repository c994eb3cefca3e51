"""The operator's spans on their way: what comes to a collector, and what a collector that is away keeps from happening."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector import Collector, collecting, secured
from controller.stage import Stage
from imagebuild.api import names
from imagebuild.contract.spans import span_id, trace_id

WHOLE = {("", "BUILD"), ("BUILD", "queue"), ("BUILD", "attempt"), ("attempt", "start pod")}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


async def test_a_build_is_one_trace(stage: Stage, collector: Collector) -> None:
    stage.configure(tracing={"endpoint": collector.url})
    operator = await stage.operator()
    stage.apply()
    status = await stage.succeeds()
    await collector.has(len(WHOLE))
    uid = stage.objects.get("imagebuilds", ("team-a", "shop"))["metadata"]["uid"]
    assert collector.tree() == WHOLE
    assert {span.trace for span in collector.spans} == {status["trace"]["id"]} == {trace_id(uid, 1)}
    assert {span.service for span in collector.spans} == {names.MANAGER}
    root, attempt = collector.one("BUILD"), collector.one("attempt")
    assert (
        root.about.items()
        >= {
            "k8s.namespace.name": "team-a",
            "cicd.pipeline.name": "team-a/shop",
            "cicd.pipeline.result": "success",
        }.items()
    )
    assert attempt.id == span_id(uid, 1, 1)
    assert attempt.about["k8s.pod.name"] == status["podName"]
    await operator.says("metrics", "imagebuild_spans_dropped_total 0.0")


async def test_an_operator_that_was_started_in_between_goes_on_with_the_same_trace(
    stage: Stage, collector: Collector
) -> None:
    stage.configure(tracing={"endpoint": collector.url})
    first = await stage.operator()
    stage.apply()
    await stage.pod()
    await collector.has(1)
    await first.kill()
    await stage.operator()
    await stage.succeeds()
    await collector.has(len(WHOLE))
    assert collector.tree() == WHOLE
    assert len({span.trace for span in collector.spans}) == 1


async def test_a_collector_that_hangs_delays_no_build_and_no_end(stage: Stage) -> None:
    with collecting(hangs=True) as collector:
        stage.configure(tracing={"endpoint": collector.url})
        operator = await stage.operator()
        for number in range(3):
            stage.apply(f"build-{number}")
        for number in range(3):
            await stage.succeeds(name=f"build-{number}")
        operator.stop()
        assert await operator.ended() == 0
        assert len(collector.bodies) == 1, "one at a time"


async def test_a_collector_that_is_being_replaced_loses_nothing(stage: Stage) -> None:
    with collecting(answer=503) as collector:
        stage.configure(tracing={"endpoint": collector.url})
        operator = await stage.operator()
        stage.apply()
        await stage.pod()
        async with asyncio.timeout(20):
            while not collector.bodies:  # noqa: ASYNC110 they come in another thread
                await asyncio.sleep(0.02)
        collector.answer = 200
        await stage.succeeds()
        await collector.has(len(WHOLE))
        await operator.says("metrics", "imagebuild_spans_dropped_total 0.0")


@pytest.mark.parametrize("answer", [500, 404, 429])
async def test_what_is_refused_is_dropped_and_counted(stage: Stage, answer: int) -> None:
    with collecting(answer=answer) as collector:
        stage.configure(tracing={"endpoint": collector.url})
        operator = await stage.operator()
        stage.apply()
        status = await stage.succeeds()
        await operator.says("metrics", f"imagebuild_spans_dropped_total {len(WHOLE)}.0")
        assert status["warnings"] == []


async def test_a_collector_with_tls_is_trusted_by_the_authorities_of_the_configuration(
    stage: Stage, tmp_path: Path
) -> None:
    context, authority = secured(tmp_path)
    with collecting(tls=context) as collector:
        stage.configure(tracing={"endpoint": collector.url})
        operator = await stage.operator()
        stage.apply()
        await stage.succeeds()
        await operator.says("metrics", f"imagebuild_spans_dropped_total {len(WHOLE)}.0")
        stage.configure(tracing={"endpoint": collector.url}, certificateAuthorities=authority)
        await operator.kill()
        await stage.operator()
        stage.apply("next")
        await stage.succeeds(name="next")
        await collector.has(len(WHOLE))


async def test_where_no_collector_is_builds_are_as_ever(stage: Stage) -> None:
    stage.configure(tracing={"endpoint": "http://127.0.0.1:1"})
    operator = await stage.operator()
    stage.apply()
    await stage.succeeds()
    await operator.says("metrics", f"imagebuild_spans_dropped_total {len(WHOLE)}.0")


async def test_a_namespace_without_tracing_sends_nothing(stage: Stage, collector: Collector) -> None:
    stage.configure(namespaces=[{"match": "team-b", "tracing": {"endpoint": collector.url}}])
    await stage.operator()
    stage.apply()
    status = await stage.succeeds()
    await stage.settled()
    assert (collector.bodies, status.get("trace")) == ([], None)
