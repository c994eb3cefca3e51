"""Groups of builds, told by what the API server saw: in which order pods were made and statuses written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

import make
from controller.objects import BUILDS, PODS, Change
from controller.stage import QUICK, Stage
from imagebuild.contract.reasons import Reason

GROUP = {"group": "main"}


def before(ago: timedelta) -> datetime:
    return datetime.now(UTC) - ago


def spec(**concurrency: Any) -> make.Document:
    return {**make.SPEC, "concurrency": {**GROUP, **concurrency}}


async def test_of_many_pushes_to_a_branch_the_running_and_the_newest_are_built(stage: Stage) -> None:
    await stage.operator()
    stage.apply("push-0", spec(order=0))
    first = await stage.running(name="push-0")
    for number in range(1, 20):
        stage.apply(f"push-{number}", spec(order=number))
    for number in range(1, 19):
        status = await stage.reaches(f"push-{number}", phase="Failed")
        assert status["reason"] == "Superseded"
        assert "of the group main is newer" in status["message"]
    waits = await stage.reaches("push-19", reason="Queued")
    assert waits["message"] == "waits for its turn in the group main"
    stage.kubelet.end(first)
    await stage.succeeds(name="push-0")
    await stage.succeeds(name="push-19")
    assert all(stage.pods(f"push-{number}") == [] for number in range(1, 19))


async def test_an_older_build_is_over_before_the_newer_one_has_a_pod(stage: Stage) -> None:
    happened: list[str] = []

    def note(change: Change) -> None:
        if change.new is None:
            return
        name = change.new["metadata"]["name"]
        if change.plural == PODS and change.old is None and name.startswith("new"):
            happened.append("a pod for new")
        if change.plural == BUILDS and name == "old" and (change.new.get("status") or {}).get("phase") == "Failed":
            happened.append("old is over")

    await stage.operator()
    stage.apply("old", spec(order=1))
    old = await stage.running(name="old")
    stage.objects.listeners.append(note)
    stage.apply("new", spec(order=2, cancelRunning=True))
    await stage.asked_to_stop(old, "Superseded")
    stage.kubelet.end(old, make.broken(Reason.SUPERSEDED))
    await stage.reaches("old", phase="Failed", reason="Superseded")
    await stage.succeeds(name="new")
    assert happened[0] == "old is over"
    assert "a pod for new" in happened


async def test_an_older_build_that_comes_late_never_moves_the_tag_back(stage: Stage) -> None:
    operator = await stage.operator()
    stage.apply("newer", spec(order=8))
    await stage.succeeds(name="newer")
    await operator.kill()
    await stage.operator()
    stage.apply("older", spec(order=7))
    await stage.reaches("older", phase="Failed", reason="Superseded")
    assert stage.pods("older") == []


@pytest.mark.parametrize("restarts", [False, True], ids=["one operator", "an operator that is started again"])
async def test_a_serial_group_builds_all_of_them_one_at_a_time(stage: Stage, *, restarts: bool) -> None:
    operator = await stage.operator()
    stage.apply("build-1", spec(policy="Serial", order=1))
    first = await stage.running(name="build-1")
    for number in (3, 2):
        stage.apply(f"build-{number}", spec(policy="Serial", order=number))
        await stage.reaches(f"build-{number}", reason="Queued")
    if restarts:
        await operator.kill()
        await stage.operator()
        await stage.settled()
    assert stage.pods("build-2") == stage.pods("build-3") == []
    stage.kubelet.end(first)
    second = await stage.running(name="build-2")
    await stage.settled()
    assert stage.pods("build-3") == []
    stage.kubelet.end(second)
    await stage.succeeds(name="build-3")


async def test_what_is_under_way_keeps_its_place_between_two_attempts(stage: Stage) -> None:
    await stage.operator()
    stage.apply("old", spec(order=1))
    old = await stage.running(name="old")
    stage.apply("new", spec(order=2))
    await stage.reaches("new", reason="Queued")
    stage.kubelet.end(old, make.killed("Evicted"))
    await stage.succeeds(number=2, name="old")
    await stage.succeeds(name="new")


async def test_a_build_that_is_resumed_after_a_newer_one_was_built_never_moves_the_tag_back(stage: Stage) -> None:
    await stage.operator()
    stage.apply("older", {**spec(order=1), "suspend": True})
    await stage.reaches("older", reason="Suspended")
    stage.apply("newer", spec(order=2))
    await stage.succeeds(name="newer")
    stage.apply("older", spec(order=1))
    await stage.reaches("older", phase="Failed", reason="Superseded")
    assert stage.pods("older") == []


async def test_the_next_of_a_group_starts_at_once_when_the_one_before_is_over(stage: Stage) -> None:
    """Without the look that admission takes every few seconds."""
    await stage.operator(replace(QUICK, slots=3_600))
    for number in (1, 2, 3):
        stage.apply(f"build-{number}", spec(policy="Serial", order=number))
    for number in (1, 2, 3):
        await stage.succeeds(name=f"build-{number}")


async def test_a_suspended_build_holds_up_nobody_of_its_group(stage: Stage) -> None:
    await stage.operator()
    stage.apply("first", {**spec(policy="Serial"), "suspend": True})
    await stage.reaches("first", reason="Suspended")
    stage.apply("second", spec(policy="Serial"))
    await stage.succeeds(name="second")


async def test_groups_of_other_namespaces_and_builds_without_a_group_are_none_of_their_business(stage: Stage) -> None:
    await stage.operator()
    stage.apply("mine", spec(policy="Serial"))
    await stage.running(name="mine")
    stage.apply("theirs", spec(policy="Serial"), namespace="team-b")
    await stage.pod(name="theirs", namespace="team-b")
    stage.apply("alone")
    await stage.succeeds(name="alone")


async def test_builds_of_one_cache_volume_are_built_one_after_the_other_and_others_beside_them(stage: Stage) -> None:
    await stage.operator()
    for name, claim in (("one", "cache"), ("two", "cache"), ("three", "other")):
        stage.apply(name, {**make.SPEC, "cache": {"volume": {"claimName": claim}}})
    first = await stage.running(name="one")
    await stage.running(name="three")
    waits = await stage.reaches("two", reason="Queued")
    assert waits["message"] == "waits for its cache volume, which one uses or has asked for before"
    assert stage.pods("two") == []
    stage.kubelet.end(first)
    await stage.reaches("one", phase="Succeeded")
    await stage.succeeds(name="two")


async def test_the_older_of_two_is_not_the_newer_one_because_it_was_looked_at_later(stage: Stage) -> None:
    """Both were applied while no operator was there, and are listed by name."""
    for name, ago in (("push-b", 2), ("push-a", 1)):
        stage.objects.clock = partial(before, timedelta(seconds=ago))
        stage.apply(name, spec())
    await stage.operator()
    await stage.succeeds(name="push-a")
