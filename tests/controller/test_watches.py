"""Watches break, lie by omission and come late; the builds do not notice."""

from __future__ import annotations

import asyncio
import math

import pytest

import make
from controller.objects import BUILDS, PODS
from controller.stage import RELISTING, SWEEPING, Stage
from imagebuild.api import names


@pytest.mark.parametrize("plural", [BUILDS, PODS])
async def test_a_watch_that_ends_is_taken_up_where_it_was(stage: Stage, plural: str) -> None:
    await stage.operator()
    stage.apply()
    name = (await stage.pod())["metadata"]["name"]
    stage.api.bookmark(plural)
    stage.api.cut(plural)
    stage.apply("second")
    stage.kubelet.start(name)
    await stage.reaches(phase="Running")
    await stage.succeeds(name="second")
    assert stage.api.count("list", plural) == 2  # ours and kopf's at the start


@pytest.mark.parametrize("plural", [BUILDS, PODS])
async def test_a_history_that_is_gone_is_listed_again(stage: Stage, plural: str) -> None:
    """410 inside of the stream."""
    await stage.operator()
    stage.apply()
    name = await stage.running()
    stage.api.break_watch(plural, 410)
    stage.apply("second")
    stage.kubelet.end(name)
    await stage.reaches(phase="Succeeded")
    await stage.succeeds(name="second")
    assert len(stage.objects.kept[PODS]) == 2


@pytest.mark.parametrize("plural", [BUILDS, PODS])
async def test_a_deletion_in_the_gap_of_a_broken_watch_is_found_when_it_is_listed_again(
    stage: Stage, plural: str
) -> None:
    """kopf lists again, and says nothing of what is not in the list."""
    await stage.operator(RELISTING)
    stage.apply("first")
    first = await stage.running(name="first")
    stage.apply()
    second = await stage.running()
    stage.objects.silent_deletions = True
    if plural == PODS:
        stage.kubelet.vanish(first)
    else:
        stage.delete("first")
        stage.apply("first", make.SPEC)
    stage.objects.silent_deletions = False
    stage.api.break_watch(plural, 410)
    if plural == PODS:
        assert (await stage.reaches("first", reason="Retrying"))["failures"] == 1
    else:
        stage.kubelet.end(first)
    assert (await stage.succeeds(1, "first"))["attempt"] == (2 if plural == PODS else 1)
    stage.kubelet.end(second)
    await stage.reaches(phase="Succeeded")


async def test_a_deletion_that_no_watch_reports_is_found_by_the_sweep(stage: Stage) -> None:
    await stage.operator(SWEEPING)
    stage.apply()
    name = await stage.running()
    stage.objects.silent_deletions = True
    stage.kubelet.vanish(name)
    stage.objects.silent_deletions = False
    status = await stage.succeeds()
    assert (status["attempt"], status["failures"]) == (2, 1)


async def test_a_slot_of_a_build_whose_deletion_no_watch_reports_is_given_on(stage: Stage) -> None:
    stage.configure(limits={"running": 1})
    await stage.operator(SWEEPING)
    stage.apply("first")
    await stage.running(name="first")
    stage.apply()
    await stage.reaches(reason="Queued")
    stage.objects.silent_deletions = True
    stage.kubelet.vanish((await stage.pod(name="first"))["metadata"]["name"])
    stage.delete("first")
    stage.objects.silent_deletions = False
    await stage.succeeds()


async def test_a_build_whose_deletion_no_watch_reports_does_not_start(stage: Stage) -> None:
    stage.configure(limits={"running": 1})
    await stage.operator(SWEEPING)
    stage.apply("first")
    first = await stage.running(name="first")
    stage.apply()
    await stage.reaches(reason="Queued")
    stage.objects.silent_deletions = True
    stage.delete()
    stage.objects.silent_deletions = False
    swept = stage.api.count("list", PODS) + 2
    await stage.api.until("a whole sweep", lambda: stage.api.count("list", PODS) >= swept)
    stage.kubelet.end(first)
    await stage.settled()
    assert stage.api.count("create", PODS) == 2  # the first one's and the canary's


async def test_a_sweep_that_the_server_does_not_answer_is_done_the_next_time(stage: Stage) -> None:
    await stage.operator(SWEEPING)
    refused = stage.api.fail("list", BUILDS, 503, times=2)
    lost = stage.api.fail("list", PODS, lost=True, times=2)
    await stage.api.until("four broken sweeps", lambda: refused.met == 2 and lost.met == 2)
    stage.apply()
    name = await stage.running()
    stage.objects.silent_deletions = True
    stage.kubelet.vanish(name)
    await stage.reaches(reason="Retrying")


@pytest.mark.parametrize("plural", [BUILDS, PODS])
@pytest.mark.parametrize("fault", ["500 in the stream", "410 for the watch", "410 for a page of the list"])
async def test_what_kopf_does_not_survive_ends_the_process_and_a_new_one_goes_on(
    stage: Stage, fault: str, plural: str
) -> None:
    operator = await stage.operator()
    stage.apply()
    name = await stage.running()
    match fault:
        case "500 in the stream":
            stage.api.break_watch(plural, 500)
        case "410 for the watch":
            stage.api.fail("watch", plural, 410, reason="Expired", times=math.inf)
            stage.api.cut(plural)
        case _:
            stage.api.fail("list", plural, 410, reason="Expired", times=math.inf)
            stage.api.break_watch(plural, 410)
    assert await operator.ended() == 1
    stage.api.faults.clear()
    stage.kubelet.end(name)
    await stage.operator()
    status = await stage.reaches(phase="Succeeded")
    assert (status["attempt"], len(stage.pods())) == (1, 1)


async def test_a_server_that_is_away_for_a_while_is_waited_for(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    name = await stage.running()
    storm = [
        stage.api.fail(verb, resource, 503, times=12)
        for verb, resource in (("watch", BUILDS), ("watch", PODS), ("create", PODS), ("update", f"{BUILDS}/status"))
    ]
    stage.api.cut(BUILDS)
    stage.api.cut(PODS)
    stage.apply("second")
    stage.kubelet.end(name)
    await stage.reaches(phase="Succeeded")
    await stage.succeeds(name="second")
    assert [fault.met for fault in storm] == [12, 12, 12, 12]
    assert len(stage.objects.kept[PODS]) == 2


async def test_a_server_that_is_away_at_the_start_is_waited_for(stage: Stage) -> None:
    stage.apply()
    for plural in (BUILDS, PODS):
        stage.api.fail("list", plural, 503, times=3)
    stage.api.fail("list", BUILDS, lost=True)
    await stage.operator()
    await stage.succeeds()


async def test_pods_of_which_events_come_late_are_not_made_twice(stage: Stage) -> None:
    await stage.operator()
    stage.objects.withhold(PODS)
    for number in range(20):
        stage.apply(f"build-{number}")
    for number in range(20):
        await stage.reaches(f"build-{number}", reason="Starting")
    stage.objects.release(PODS)
    await stage.settled()
    assert len(stage.objects.kept[PODS]) == 20 + 1


async def test_an_answer_that_comes_after_the_deletion_brings_nothing_back(stage: Stage) -> None:
    """A pod that is only remembered would keep its slot for ever."""
    stage.configure(limits={"running": 2})
    await stage.operator()
    late = stage.api.fail("create", PODS, gate=asyncio.Event(), late=True)
    stage.apply("first")
    stage.kubelet.vanish((await stage.pod(name="first"))["metadata"]["name"])
    stage.delete("first")
    await stage.settled()
    late.gate.set()
    stage.apply("second")
    stage.apply("third")
    await stage.running(name="second")
    await stage.running(name="third")


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"labels": {names.LABEL_RUN: "one"}}, id="run"),
        pytest.param({"labels": {names.LABEL_ATTEMPT: "-1"}}, id="attempt"),
        pytest.param({"labels": {names.LABEL_ATTEMPT: "9" * 60}}, id="attempt beyond all numbers"),
        pytest.param({"annotations": {names.ANNOTATION_REBUILD_AT: "noon"}}, id="rebuild-at"),
        pytest.param(
            {"annotations": {names.ANNOTATION_REBUILD_AT: "2026-01-01T00:00:00"}}, id="rebuild-at without zone"
        ),
    ],
)
async def test_a_pod_that_somebody_forged_does_not_stop_the_operator(
    stage: Stage, forged: dict[str, dict[str, str]]
) -> None:
    stage.apply("victim")
    pod = make.pod_document(make.make_build(name="victim", uid="imagebuild-1"))
    meta = pod["metadata"] | {"name": "forged"}
    for field, values in forged.items():
        meta[field] = meta[field] | values
    stage.objects.create(PODS, {**pod, "metadata": meta, "spec": {}})
    await stage.operator()
    stage.apply()
    await stage.succeeds()
