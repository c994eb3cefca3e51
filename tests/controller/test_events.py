"""Events: one for each step that is worth it, once, and never in the way of a build."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import Any

import pytest

import make
from controller.objects import EVENTS, Document
from controller.stage import QUICK, Stage
from imagebuild.api.status import ImageBuildStatus, Phase, Run
from imagebuild.contract.reasons import Reason
from imagebuild.controller.events import Events, bounded, event_of


def status(phase: Phase, reason: Reason, **given: Any) -> ImageBuildStatus:
    """Of run 1, attempt 1, where nothing else is said."""
    return ImageBuildStatus(
        **{"phase": phase, "reason": reason, "run": Run(number=1, inputs_hash="h"), "attempt": 1, **given}
    )


def told(before: ImageBuildStatus, after: ImageBuildStatus, **build: Any) -> Document | None:
    return event_of(make.make_build(status=before, **build), after, make.at(0))


NEW = ImageBuildStatus()
BUILDING = status(Phase.RUNNING, Reason.BUILDING)
BUILT = status(Phase.SUCCEEDED, Reason.BUILT, message="Built and pushed.")
MISSING = status(Phase.PENDING, Reason.SECRET_MISSING)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        pytest.param(NEW, status(Phase.PENDING, Reason.QUEUED), None, id="waiting for its turn is told by the status"),
        pytest.param(NEW, status(Phase.PENDING, Reason.STARTING), None, id="so is starting"),
        pytest.param(NEW, BUILDING, "Normal", id="it builds"),
        pytest.param(BUILDING, BUILDING, None, id="no step"),
        pytest.param(BUILDING, BUILDING.model_copy(update={"message": "other"}), None, id="only another message"),
        pytest.param(BUILDING, BUILT, "Normal", id="it is built"),
        pytest.param(BUILDING, status(Phase.FAILED, Reason.STEP_FAILED), "Warning", id="the user's fault"),
        pytest.param(BUILDING, status(Phase.PENDING, Reason.RETRYING), "Warning", id="the world's fault"),
        pytest.param(NEW, MISSING, "Warning", id="something is missing"),
        pytest.param(BUILDING, status(Phase.FAILED, Reason.TIMED_OUT), "Warning", id="too slow"),
        pytest.param(BUILDING, status(Phase.FAILED, Reason.CANCELLED), "Normal", id="somebody wanted it"),
        pytest.param(BUILT, BUILT.model_copy(update={"run": Run(number=2, inputs_hash="i")}), "Normal", id="a new run"),
    ],
)
def test_steps_that_are_worth_an_event(before: ImageBuildStatus, after: ImageBuildStatus, kind: str | None) -> None:
    event = told(before, after)
    assert (event and event["type"]) == kind


def test_an_event_says_what_the_status_says_about_the_imagebuild() -> None:
    event = told(BUILDING, BUILT)
    assert event is not None
    assert (event["reason"], event["message"]) == ("Built", "Built and pushed.")
    assert event["involvedObject"] == {
        "apiVersion": "imagebuild.dev/v1alpha1",
        "kind": "ImageBuild",
        "namespace": "team-a",
        "name": "shop",
        "uid": "build-uid",
    }
    assert event["metadata"]["namespace"] == "team-a"
    assert event["reportingComponent"] == "imagebuild-operator"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param({}, True, id="the same"),
        pytest.param({"status": {"message": "other"}}, True, id="another message"),
        pytest.param({"status": {"attempt": 2, "failures": 1}}, False, id="another attempt after a failure"),
        pytest.param({"status": {"attempt": 2, "waits": 1}}, True, id="another look for what is missing"),
        pytest.param({"status": {"run": Run(number=2, inputs_hash="h")}}, False, id="another run"),
        pytest.param({"status": {"reason": Reason.UNSCHEDULABLE}}, False, id="another reason"),
        pytest.param({"build": {"uid": "made again"}}, False, id="another ImageBuild of this name"),
    ],
)
def test_the_name_of_an_event_is_made_from_what_it_tells(other: dict[str, Any], same: bool) -> None:
    first = told(NEW, MISSING)
    second = told(NEW, MISSING.model_copy(update=other.get("status", {})), **other.get("build", {}))
    assert first is not None
    assert second is not None
    assert (first["metadata"]["name"] == second["metadata"]["name"]) is same


def test_the_longest_name_of_an_imagebuild_makes_a_name_of_an_event() -> None:
    event = told(NEW, BUILDING, name="n" * 253)
    assert event is not None
    assert len(event["metadata"]["name"]) == 253


@pytest.mark.parametrize(
    ("message", "cut"),
    [
        ("short", "short"),
        ("x" * 1024, "x" * 1024),
        ("x" * 1025, "x" * 1021 + "…"),
        ("é" * 600, "é" * 510 + "…"),
    ],
    ids=["short", "just fits", "cut", "cut between characters"],
)
def test_a_message_is_at_most_a_kilobyte(message: str, cut: str) -> None:
    assert bounded(message) == cut
    assert len(cut.encode()) <= 1024


async def test_events_beyond_the_room_of_the_queue_are_dropped_and_counted() -> None:
    async def hang(_: Document) -> None:
        await asyncio.Event().wait()

    dropped: list[int] = []
    events = Events(hang, lambda: dropped.append(1))
    for _ in range(1003):
        events.tell(make.make_build(), BUILDING, make.at(0))
    assert len(dropped) == 3


def reasons(stage: Stage, name: str = "shop") -> list[str]:
    return [event["reason"] for event in stage.objects.kept[EVENTS].values() if event["involvedObject"]["name"] == name]


async def test_a_build_that_goes_well_has_two_events(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    await stage.succeeds()
    await stage.api.until("both", lambda: reasons(stage) == ["Building", "Built"])
    await stage.settled()
    assert reasons(stage) == ["Building", "Built"]
    (first, _) = (event for event in stage.objects.kept[EVENTS].values() if event["involvedObject"]["name"] == "shop")
    assert first["involvedObject"]["uid"] == stage.objects.get("imagebuilds", ("team-a", "shop"))["metadata"]["uid"]


async def test_what_happens_again_in_an_attempt_is_told_once_also_after_a_restart(stage: Stage) -> None:
    operator = await stage.operator()
    stage.apply()
    name = (await stage.pod())["metadata"]["name"]
    await stage.reaches(reason="Starting")
    await out_of_room_for_a_while(stage, name, posts=1)
    await operator.kill()
    second = await stage.operator()
    await out_of_room_for_a_while(stage, name, posts=2)
    await stage.settled()
    await second.says("metrics", "imagebuild_events_dropped_total 0.0")
    assert reasons(stage) == ["Unschedulable"]


async def out_of_room_for_a_while(stage: Stage, pod: str, posts: int) -> None:
    stage.kubelet.report(("team-a", pod), make.unschedulable("no room"))
    await stage.reaches(reason="Unschedulable")
    await stage.api.until("it to be told", lambda: stage.api.count("create", EVENTS) == posts)
    stage.kubelet.report(("team-a", pod), {"phase": "Pending"})
    await stage.reaches(reason="Starting")


async def test_an_events_api_that_hangs_delays_no_build_and_no_end(stage: Stage) -> None:
    hung = stage.api.fail("create", EVENTS, gate=asyncio.Event(), times=math.inf)
    operator = await stage.operator()
    for number in range(3):
        stage.apply(f"build-{number}")
    for number in range(3):
        await stage.succeeds(name=f"build-{number}")
    assert hung.met == 1  # one at a time
    operator.stop()
    assert await operator.ended() == 0
    assert stage.objects.kept[EVENTS] == {}


async def test_events_that_are_refused_are_dropped_and_counted(stage: Stage) -> None:
    stage.api.fail("create", EVENTS, 403, reason="Forbidden", message="no", times=math.inf)
    operator = await stage.operator()
    stage.apply()
    await stage.succeeds()
    await operator.says("metrics", "imagebuild_events_dropped_total 2.0")


async def test_events_that_are_still_to_be_posted_are_posted_at_the_end(stage: Stage) -> None:
    slow = stage.api.fail("create", EVENTS, gate=asyncio.Event(), times=1)
    operator = await stage.operator(replace(QUICK, drain=20))
    stage.apply()
    await stage.succeeds()
    operator.stop()
    await operator.says("readyz", "503 ends")
    slow.gate.set()
    assert await operator.ended() == 0
    assert reasons(stage) == ["Building", "Built"]
