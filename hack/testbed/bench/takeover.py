"""Two operators, of which the one that leads goes: how long it is until a build that is applied then has its pod."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from testbed.bench import burst
from testbed.kubectl import Kubectl, until
from testbed.outside import OutsideOperator, outside_operators

ENDS: dict[str, Callable[[OutsideOperator], object]] = {
    "stopped": OutsideOperator.stop,
    "killed": OutsideOperator.kill,
}


def takeovers(
    kubectl: Kubectl, space: Kubectl, directory: Path, settings: dict[str, Any], *, first: int, rounds: int
) -> Iterator[tuple[str, list[float]]]:
    """How the leader went, and the seconds from then on. `first`: the number of the first build to apply."""
    numbers = count(first)
    with outside_operators(kubectl, directory, settings, 2) as operators:
        for word, end in ENDS.items():
            yield word, [_takeover(space, operators, end, next(numbers)) for _ in range(rounds)]


def _takeover(
    space: Kubectl, operators: list[OutsideOperator], end: Callable[[OutsideOperator], object], number: int
) -> float:
    for operator in operators:
        operator.start_if_it_has_ended()
    leader = until("one to lead, and one to stand by", lambda: _leader(operators), seconds=120)
    begun = time.perf_counter()
    end(leader)
    asyncio.run(burst.builds(space, burst.ids(number, 1)))
    return time.perf_counter() - begun


def _leader(operators: list[OutsideOperator]) -> OutsideOperator | None:
    if not all(operator.is_ready() for operator in operators):
        return None
    return next((operator for operator in operators if operator.leads()), None)
