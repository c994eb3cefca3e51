"""The steps of a build as a graph: what each works on, and which of them the build had to wait for. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from imagebuild.cli.chart import label
from imagebuild.cli.page.excerpts import Excerpt
from imagebuild.cli.phases import EXPORT, INTERNAL, Span, number, of_step
from imagebuild.contract.timeline import State, Timeline

__all__ = ["Node", "nodes", "to_blame"]

_FROM = re.compile(r"^\[[^\]]*\d/\d+\] FROM ")
_TOLERANCE_SECONDS = 0.05
"""Between the end of one step and the beginning of the next, where one waited for the other."""
_LONGEST_NAME = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    place: int
    """In the timeline."""
    span: Span
    start: float
    """Seconds after the first step's."""
    needs: tuple[int, ...] = ()
    needed_by: tuple[int, ...] = ()
    critical: bool = False
    excerpt: Excerpt

    @property
    def end(self) -> float:
        return self.start + self.span.seconds

    @property
    def state(self) -> State:
        return self.span.state

    @property
    def label(self) -> str:
        return label(self.span)

    @property
    def order(self) -> int:
        """In its stage."""
        return number(self.span)

    @property
    def own(self) -> bool:
        """A line of the Dockerfile that could come from the cache."""
        return self.span.group not in (EXPORT, INTERNAL) and not _FROM.match(self.span.name)

    @property
    def stage(self) -> str:
        """Its name in the Dockerfile; "" of the last one without a name."""
        return self.span.group.removeprefix("stage ").split()[-1] if self.span.group.startswith("stage ") else ""


def nodes(timeline: Timeline, excerpts: Sequence[Excerpt]) -> list[Node]:
    """In the timeline's order. A pod can say anything: what points nowhere, or at itself, is left out."""
    spans = [of_step(timeline.since, replace(step, name=step.name[:_LONGEST_NAME])) for step in timeline.steps]
    if not spans:
        return []
    first = min(span.start for span in spans)
    found = [
        Node(place=place, span=span, start=(span.start - first).total_seconds(), excerpt=excerpt, needs=needs)
        for place, (span, excerpt, needs) in enumerate(zip(spans, excerpts, _needs(timeline), strict=True))
    ]
    users: list[list[int]] = [[] for _ in found]
    for node in found:
        for need in node.needs:
            users[need].append(node.place)
    path = _critical(found)
    return [
        replace(node, needed_by=tuple(by), critical=node.place in path) for node, by in zip(found, users, strict=True)
    ]


def _needs(timeline: Timeline) -> list[tuple[int, ...]]:
    there = range(len(timeline.steps))
    return [
        tuple(need for need in dict.fromkeys(step.needs) if need in there and need != place)
        for place, step in enumerate(timeline.steps)
    ]


def to_blame(found: Sequence[Node]) -> Node | None:
    """The step that failed; a cache that cannot be read or written fails no build."""
    failed = [node for node in found if node.state is State.FAILED]
    return next((node for node in failed if "cache" not in node.span.name or node.own), None)


def _critical(found: Sequence[Node]) -> set[int]:
    """Back from the end, always to what was waited for last. Empty where it is not known what works on what."""
    if not any(node.needs for node in found):
        return set()
    here: Node | None = to_blame(found) or max(found, key=lambda node: node.end)
    path: dict[int, Node] = {}
    while here is not None:
        path[here.place] = here
        here = _waited_for(here, found, path)
    return {place for place, node in path.items() if node.span.seconds >= _TOLERANCE_SECONDS}


def _waited_for(node: Node, found: Sequence[Node], path: dict[int, Node]) -> Node | None:
    """What BuildKit does for itself, and exports, name nothing: there it is what was done just before."""
    needed = [found[need] for need in node.needs if need not in path]
    before = [each for each in found if each.end <= node.start + _TOLERANCE_SECONDS and each.place not in path]
    return max(needed or ([] if node.needs else before), key=lambda each: each.end, default=None)
