"""Group `scale`: many builds at once, and what is kept of those that are over. Their pods are on a simulated node."""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from imagebuild.api.config import OperatorConfig, Retention
from localcluster.work import say
from testbed.bench import burst
from testbed.bench.api import builds_path
from testbed.bench.bare import configuration
from testbed.bench.measure import Bed, Group, Row
from testbed.kills import wrong
from testbed.kubectl import Document, Kubectl, until
from testbed.kwok import simulated_node
from testbed.outside import OutsideOperator, outside_operators, rest
from testbed.podwatch import Record
from testbed.space import namespaces

BUILDS = "builds of all those"
NOT_ONE = "those of them that had not exactly one pod"
_BEHIND = "its pod's end → its terminal status, of builds created at once"
_BY_HAND = "ImageBuilds created at once by a client, and then their pods, with no operator there"
_ALONE = "those pods alone"
AMISS = "statuses of theirs that are not as their pods were"
_MANY = 100_000
SETTINGS: dict[str, Any] = {
    "limits": {"running": _MANY, "runningPerNamespace": _MANY, "queued": _MANY, "queuedPerNamespace": _MANY},
    "retention": {"perNamespace": _MANY},
}
"""Nothing waits for a slot, and every pod stays: the most that the operator can have to do with so many builds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    bursts: dict[int, int]
    """How many of each size, one after the other."""
    finished: int
    """ImageBuilds that are over at the end."""
    touched: int
    seconds: int
    """How long a build runs: longer than a burst of a thousand takes, as any does, so that nothing ends meanwhile."""


QUICK = Plan(bursts={20: 1}, finished=20, touched=20, seconds=1)
_LONG = Plan(bursts={100: 5, 1000: 4, 5000: 1}, finished=10_000, touched=1000, seconds=15)


@dataclass(slots=True)
class Course:
    """One run: the operator, and how far it has come."""

    space: Kubectl
    operator: OutsideOperator
    made: int = 0
    bursts: dict[int, burst.Burst] = field(default_factory=dict)
    bursts_at: dict[int, int] = field(default_factory=dict)
    """The number of the first build of the newest burst of each size."""
    computed: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds of a processor for each build, by the size of the burst."""
    shares: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Of all that the machine's processors could do until the last pod was there, the operator's part."""
    memory: dict[int, float] = field(default_factory=dict)
    """MiB: the most that an operator has had that was started before the bursts of this size."""


def measure(bed: Bed) -> Iterator[Row]:
    plan = QUICK if bed.quick else _LONG
    kubectl, directory = bed.kubectl, bed.directory
    with namespaces(kubectl, "bench", "scale") as (space,), simulated_node(kubectl, directory, seconds=plan.seconds):
        with (
            outside_operators(kubectl, directory, SETTINGS) as (operator,),
            Record(space, directory / "pods.jsonl") as record,
        ):
            course = Course(space, operator)
            yield from _by_hand(course, plan)
            yield from _all_bursts(course, plan)
            yield from _right(course, record)
        if not bed.quick:
            yield from _aged(bed, space, course.made, plan.touched)


def _by_hand(course: Course, plan: Plan) -> Iterator[Row]:
    """Before there is an operator: what the cluster alone makes of ImageBuilds and their pods."""
    space, config = course.space, configuration(course.space.place, SETTINGS)
    for size, rounds in plan.bursts.items():
        both, pods = list[float](), list[float]()
        for _ in range(rounds):
            creating, made = asyncio.run(burst.only_created(space, burst.ids(0, size)))
            pods.append(asyncio.run(burst.bare_pods(space, made, config)))
            both.append(creating + pods[-1])
            asyncio.run(burst.one_has_run(space, made, config))
            asyncio.run(burst.removed(space, made))
            say(f"{size} ImageBuilds and their pods by hand: {size / both[-1]:.0f}/s")
        yield _row(_ALONE, "pods/s", [size / each for each in pods], at=size)
        yield _row(_BY_HAND, "pods/s", [size / each for each in both], at=size, beside=_ALONE)


def _all_bursts(course: Course, plan: Plan) -> Iterator[Row]:
    config = configuration(course.space.place, SETTINGS)
    _start(course.operator)
    for size, rounds in plan.bursts.items():
        like = list[Any]()
        for number in range(rounds):
            # in turns; the bare pods are those of the builds before or after
            if number % 2:
                _bare(course, like, config)
                _burst(course, size)
            else:
                like = _burst(course, size)
                _bare(course, like, config)
        course.memory[size] = course.operator.resident(most=True) / 1024
        yield from _standing(course.space, course.operator, course.made, plan.touched, "each with its pod")
    if course.made < plan.finished:
        _burst(course, plan.finished - course.made, counts=False)
        yield from _standing(course.space, course.operator, course.made, plan.touched, "each with its pod")
    yield from _bursts(course)


def _aged(bed: Bed, space: Kubectl, made: int, touched: int) -> Iterator[Row]:
    """With the default of how many pods stay, once the others are gone."""
    settings = {"limits": SETTINGS["limits"]}
    kept = Retention().per_namespace
    with outside_operators(bed.kubectl, bed.directory, settings) as (operator,):
        _start(operator)
        until("the pods to be as few as by default", lambda: burst.pods(space) <= kept, seconds=900, pause=2)
        reach = {"started": ("most ≤ 30",), "memory": ("most ≤ 250",)}
        yield from _standing(space, operator, made, touched, f"and the newest {kept} pods, as by default", **reach)


def _start(operator: OutsideOperator) -> float:
    """Seconds until it is ready: it has read all there is, and watches."""
    begun = time.perf_counter()
    operator.start()
    until("the operator to be ready", operator.is_ready, seconds=300, pause=0.02)
    return time.perf_counter() - begun


def _burst(course: Course, size: int, *, counts: bool = True) -> list[Any]:
    used = course.operator.computed()
    seconds, made = asyncio.run(burst.builds(course.space, burst.ids(course.made, size)))
    share = (course.operator.computed() - used) / seconds / (os.cpu_count() or 1)
    course.made += size
    say(f"{size} ImageBuilds at once: {size / seconds:.0f} pods/s; {course.made} are there")
    until(
        "all builds to succeed",
        lambda: burst.succeeded(course.space) == course.made,
        seconds=600,
        pause=1 + size / 1000,
    )
    if counts:
        course.bursts_at[size] = course.made - size
        course.bursts.setdefault(size, burst.Burst(size)).ours.append(seconds)
        course.computed[size].append((course.operator.computed() - used) / size)
        course.shares[size].append(share)
    return made


def _bare(course: Course, like: list[Any], config: OperatorConfig) -> None:
    seconds = asyncio.run(burst.bare_pods(course.space, like, config))
    course.bursts[len(like)].bare.append(seconds)
    say(f"{len(like)} bare pods at once: {len(like) / seconds:.0f}/s")


def _standing(
    space: Kubectl,
    operator: OutsideOperator,
    at: int,
    touched: int,
    pods: str,
    *,
    started: tuple[str, ...] = (),
    memory: tuple[str, ...] = (),
) -> Iterator[Row]:
    """What so many finished builds cost an operator that starts, and then has one after the other changed."""
    operator.stop()
    seconds = _start(operator)
    yield _row(f"operator started → ready; finished builds, {pods}", "s", [seconds], at=at, reach=started)
    rest(operator)
    resident, most = (operator.resident(most=each) / 1024 for each in (False, True))
    yield _row(f"memory of the operator; finished builds, {pods}", "MiB", [resident], at=at, reach=memory)
    yield _row(f"the most that it has had since its start; finished builds, {pods}", "MiB", [most], at=at)
    used, some = operator.computed(), min(touched, at)
    asyncio.run(burst.touch(space, burst.ids(0, some)))
    rest(operator)
    event = 1000 * (operator.computed() - used) / some
    yield _row(f"CPU for an event that means nothing; finished builds, {pods}", "ms", [event], at=at)


def _bursts(course: Course) -> Iterator[Row]:
    ours, bare = "pods for ImageBuilds created at once", "bare pods created at once"
    for size, taken in course.bursts.items():
        yield _row(ours, "pods/s", [size / each for each in taken.ours], at=size, beside=bare, reach=("ratio ≥ 0.6",))
        yield _row(bare, "pods/s", [size / each for each in taken.bare], at=size)
        shares = [100 * each for each in course.shares[size]]
        yield _row("the operator's part of all processors' time meanwhile", "%", shares, at=size)
        cpu = [1000 * each for each in course.computed[size]]
        yield _row("CPU for a build of these, from its creation to its end", "ms", cpu, at=size)
        yield _row("the most memory that the operator had meanwhile", "MiB", [course.memory[size]], at=size)


def _right(course: Course, record: Record) -> Iterator[Row]:
    """By the record of a watch, which no operator's word is needed for."""
    builds = course.space.listed(builds_path(course.space.namespace))
    pods = record.caught_up()
    there = {pod["metadata"]["uid"]: pod for pod in pods}
    made = {each["metadata"]["uid"]: record.watch.of(each["metadata"]["uid"]) for each in builds}
    not_one = sum(len(each) != 1 for each in made.values())
    amiss = [said for each in builds if (seen := made[each["metadata"]["uid"]]) for said in wrong(each, seen, there)]
    yield _row(BUILDS, "", [len(builds)])
    yield _row(NOT_ONE, "", [not_one], reach=("most ≤ 0",))
    yield _row(AMISS, "", [len(amiss)], reach=("most ≤ 0",))
    for size, first in course.bursts_at.items():
        if behind := list(_behind(builds, there, range(first, first + size))):
            yield _row(_BEHIND, "s", behind, at=size)


def _behind(builds: list[Document], pods: dict[str, Document], numbers: range) -> Iterator[float]:
    """By the API server's clock and kwok's, in whole seconds."""
    wanted = {*burst.ids(numbers.start, len(numbers))}
    for build in builds:
        pod = pods.get(build["status"].get("podUID", ""))
        if build["metadata"]["name"] in wanted and pod is not None:
            ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"]
            yield (_told(build) - datetime.fromisoformat(ended)).total_seconds()


def _told(build: Document) -> datetime:
    """When its status was written last."""
    fields = build["metadata"]["managedFields"]
    return max(datetime.fromisoformat(each["time"]) for each in fields if each.get("subresource") == "status")


def _row(name: str, unit: str, samples: list[float] | list[int], **more: Any) -> Row:
    return Row(group="scale", name=name, unit=unit, samples=tuple(samples), **more)


GROUP = Group(name="scale", about="many builds at once, and many that are over", minutes=25, measure=measure)
