"""Builds that come and go for as long as one likes, and what the operator's memory does meanwhile."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.kubectl import Document, Kubectl, until
from testbed.kwok import build, simulated_node
from testbed.outside import OutsideOperator, outside_operators

_SETTINGS: dict[str, Any] = {"limits": {"running": 200, "runningPerNamespace": 200}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    minutes: float
    rate: int
    """Builds created each second."""
    kept: int
    """ImageBuilds that stay after their end; older ones are deleted, and their pods with them."""
    every: float
    """Seconds from one sample to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    minute: float
    created: int
    there: int
    """ImageBuilds that exist."""
    unfinished: int
    resident: float
    """Memory of the operator in MiB."""
    starts: int
    """How often the operator was started: once, if nothing went wrong."""


def churn(kubectl: Kubectl, space: Kubectl, directory: Path, plan: Plan) -> Iterator[Sample]:
    begun = time.monotonic()
    created = 0
    with (
        outside_operators(kubectl, directory, _SETTINGS) as (operator,),
        simulated_node(kubectl, directory, seconds=1),
    ):
        operator.start()
        for number in itertools.count():
            due = begun + (number + 1) * plan.every
            while time.monotonic() < due:
                second = time.monotonic()
                space.apply(*(build(f"ok-{index}") for index in range(created, created + plan.rate)))
                created += plan.rate
                _delete_old(space, plan.kept)
                operator.start_if_it_has_ended()
                time.sleep(max(0.0, second + 1 - time.monotonic()))
            yield _sample(space, operator, (time.monotonic() - begun) / 60, created)
            if time.monotonic() - begun >= plan.minutes * 60:
                break
        until("all builds to end", lambda: not _unfinished(space.items("imagebuilds")), seconds=300, pause=1)
        yield _sample(space, operator, (time.monotonic() - begun) / 60, created)


def _delete_old(space: Kubectl, kept: int) -> None:
    builds = space.items("imagebuilds")
    ended = sorted(_number(build) for build in builds if build not in _unfinished(builds))
    if old := ended[: max(0, len(ended) - kept)]:
        space("delete", "imagebuild", "--wait=false", *(f"ok-{number}" for number in old))


def _number(build: Document) -> int:
    return int(build["metadata"]["name"].removeprefix("ok-"))


def _unfinished(builds: list[Document]) -> list[Document]:
    return [build for build in builds if build.get("status", {}).get("phase") not in ("Succeeded", "Failed")]


def _sample(space: Kubectl, operator: OutsideOperator, minute: float, created: int) -> Sample:
    builds = space.items("imagebuilds")
    return Sample(
        minute=minute,
        created=created,
        there=len(builds),
        unfinished=len(_unfinished(builds)),
        resident=operator.resident() / 1024,
        starts=operator.starts,
    )
