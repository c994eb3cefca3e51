"""Group `takeover`: two operators, of which the one that leads goes, and how long it is until a build that is applied
then has its pod; with little and with much that is over already."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

from testbed.bench import burst
from testbed.bench.measure import Bed, Group, Row
from testbed.kubectl import Kubectl, until
from testbed.kwok import build, simulated_node
from testbed.outside import OutsideOperator, outside_operators, rest
from testbed.space import namespaces

NAME = "takeover"
ENDS: dict[str, Callable[[OutsideOperator], object]] = {
    "stopped": OutsideOperator.stop,
    "killed": OutsideOperator.kill,
}
_SETTINGS: dict[str, Any] = {"limits": {"running": 200, "runningPerNamespace": 200}}


def measure(bed: Bed) -> Iterator[Row]:
    sizes, rounds = ((3,), 1) if bed.quick else ((20, 10_000), 3)
    numbers, kubectl = count(), bed.kubectl
    with (
        namespaces(kubectl, "bench", "takeover") as (space,),
        simulated_node(kubectl, bed.directory, seconds=1),
        outside_operators(kubectl, bed.directory, _SETTINGS, 2) as operators,
    ):
        for size in sizes:
            _fill(space, operators, size)
            for word, end in ENDS.items():
                name = f"leader {word} → a build applied then has its pod"
                seconds = tuple(_takeover(space, operators, end, next(numbers)) for _ in range(rounds))
                yield Row(group=NAME, name=name, unit="s", samples=seconds, at=size)


def _fill(space: Kubectl, operators: Sequence[OutsideOperator], size: int) -> None:
    """So many more ImageBuilds that are over."""
    for operator in operators:
        operator.start_if_it_has_ended()
    asyncio.run(burst.marked_done(space, (f"over-{size}-{number}" for number in range(size))))
    until(f"{size} ImageBuilds to be over", lambda: burst.succeeded(space) >= size, seconds=600, pause=1)


def _takeover(
    space: Kubectl, operators: Sequence[OutsideOperator], end: Callable[[OutsideOperator], object], number: int
) -> float:
    """Seconds from its end on, once both have nothing to do. `number`: of the build to apply."""
    for operator in operators:
        operator.start_if_it_has_ended()
    leader = until("one to lead, and one to stand by", lambda: _leader(operators), seconds=120)
    for operator in operators:
        rest(operator)
    there = burst.pods(space)
    begun = time.perf_counter()
    end(leader)
    space.apply(build(f"ok-{number}"))
    until("its pod", lambda: burst.pods(space) > there, seconds=120, pause=0.05)
    return time.perf_counter() - begun


def _leader(operators: Sequence[OutsideOperator]) -> OutsideOperator | None:
    if not all(operator.is_ready() for operator in operators):
        return None
    return next((operator for operator in operators if operator.leads()), None)


GROUP = Group(name=NAME, about="how long nobody leads, with few builds and with many", minutes=5, measure=measure)
