"""Group `control`: what the operator adds to a build, on an idle cluster."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.bench.measure import Bed, Group, Row


def measure(bed: Bed) -> Iterator[Row]:
    raise NotImplementedError


GROUP = Group(name="control", about="what the operator adds to a build, on an idle cluster", minutes=4, measure=measure)
