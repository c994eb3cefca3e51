"""What each step has printed, as far as a page has room for it: the end of it, taken while the log is read once."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from imagebuild.cli.logs import Line
from imagebuild.cli.page.markup import shown
from imagebuild.contract.timeline import Step

__all__ = ["Excerpt", "Excerpts", "fitted"]

_NUMBERED = re.compile(r"^#(\d{1,6}) (.+)$", re.DOTALL)
_TOLD = re.compile(r"^(?:DONE \d{1,7}\.\ds|CACHED|CANCELED|\.\.\.)$")
"""Of BuildKit's progress, what the page says in its own way."""
_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
_MOST_STEPS, _MOST_LINES, _MOST_CHARACTERS, _LONGEST_LINE = 2000, 60, 16_000, 600
_ONE_OF_ALL, _THE_FIRST = 12_000, 64_000
"""Bytes of a page."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    lines: tuple[str, ...] = ()
    before: int = 0
    """Lines that were left out, all of them before these."""


@dataclass(slots=True)
class _Output:
    name: str
    kept: deque[str] = field(default_factory=deque)
    characters: int = 0
    lines: int = 0

    def take(self, said: str) -> None:
        if said == self.name or _TOLD.match(said):
            return  # a step's name is written again where its output goes on after another's
        line = said if len(said) <= _LONGEST_LINE else said[:_LONGEST_LINE] + " …"
        self.kept.append(line)
        self.characters += len(line)
        self.lines += 1
        while len(self.kept) > _MOST_LINES or self.characters > _MOST_CHARACTERS:
            self.characters -= len(self.kept.popleft())

    def excerpt(self) -> Excerpt:
        return Excerpt(tuple(self.kept), self.lines - len(self.kept))


def fitted(excerpts: Sequence[Excerpt], first: int | None, room: int) -> list[Excerpt]:
    """As much of them as has room in so many bytes of a page, the ends of them; of one step's more than of the rest."""
    found = list(excerpts)
    for place in sorted(range(len(found)), key=lambda place: place != first):
        found[place], taken = _fitted(found[place], min(room, _ONE_OF_ALL if place != first else _THE_FIRST))
        room -= taken
    return found


def _fitted(excerpt: Excerpt, room: int) -> tuple[Excerpt, int]:
    kept, taken = deque[str](), 0
    for line in reversed(excerpt.lines):
        size = len(shown(line).encode()) + 1
        if taken + size > room:
            break
        kept.appendleft(line)
        taken += size
    return Excerpt(tuple(kept), excerpt.before + len(excerpt.lines) - len(kept)), taken


class Excerpts:
    """`watch` the lines of a log on their way to another reader, then ask `of` the steps."""

    def __init__(self) -> None:
        self._outputs: dict[str, _Output] = {}

    def watch(self, lines: Iterable[Line]) -> Iterator[Line]:
        for line in lines:
            if found := _NUMBERED.match(line.text):
                self._take(*found.groups())
            yield line

    def _take(self, number: str, said: str) -> None:
        if number in self._outputs:
            self._outputs[number].take(said)
        elif len(self._outputs) < _MOST_STEPS:
            self._outputs[number] = _Output(said)

    def of(self, steps: Sequence[Step]) -> list[Excerpt]:
        """One for each step: the log numbers steps, a timeline has their names, perhaps cut, and both are in order."""
        left = [(_USERINFO.sub("", each.name), each) for each in self._outputs.values()]
        return [_taken(left, step.name) for step in steps]


def _taken(left: list[tuple[str, _Output]], name: str) -> Excerpt:
    """The one of this name, else one that begins with it."""
    found = [place for place, (full, _) in enumerate(left) if name and full.startswith(name)]
    place = next((place for place in found if left[place][0] == name), found[0] if found else None)
    return Excerpt() if place is None else left.pop(place)[1].excerpt()
