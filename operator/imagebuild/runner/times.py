"""When BuildKit worked at what, from the entries of its trace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from imagebuild.contract.timeline import State, Step, Timeline

__all__ = ["Times"]

_GAP_SECONDS = 0.1
"""BuildKit puts work down and takes it up again; so short a pause is none."""
_CANCELLED = "context canceled"
_PUSHING = "pushing "
_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")


@dataclass(slots=True)
class _Work:
    name: str
    spans: dict[float, float | None] = field(default_factory=dict)
    """When it was taken up, and when it was put down; None as long as it was not."""
    state: State = State.DONE
    needs: tuple[str, ...] = ()
    """Keys of other work."""

    def take(self, entry: dict[str, Any]) -> None:
        if started := entry.get("started"):
            start, completed = _unix(started), entry.get("completed")
            self.spans[start] = _unix(completed) if completed else self.spans.get(start)
        self.needs = self.needs or tuple(map(str, entry.get("inputs") or ()))
        if entry.get("cached"):
            self.state = State.CACHED
        elif error := entry.get("error"):
            self.state = State.CANCELED if _CANCELLED in error else State.FAILED


class Times:
    def __init__(self) -> None:
        self._works: dict[str, _Work] = {}

    def vertex(self, entry: dict[str, Any]) -> None:
        self._works.setdefault(entry["digest"], _Work(entry.get("name", ""))).take(entry)

    def status(self, entry: dict[str, Any]) -> None:
        """Of all that vertices are made of, the push alone: an image's vertex is its export and its push."""
        if entry.get("id", "").startswith(_PUSHING):
            vertex = entry.get("vertex", "")
            self._works.setdefault(f"push {vertex}", _Work("pushing the image", needs=(vertex,))).take(entry)

    def timeline(self, now: float) -> Timeline:
        """As far as it is known at that time."""
        found = sorted(self._longest(now), key=lambda each: each[1])
        since = found[0][1] if found else now
        places = {id(work): place for place, (work, *_) in enumerate(found)}
        known = {key: places[id(work)] for key, work in self._works.items() if id(work) in places}
        steps = (replace(_step(*each, since), needs=_places(each[0], known)) for each in found)
        return Timeline(since=round(since, 3), steps=tuple(steps))

    def _longest(self, now: float) -> Iterator[tuple[_Work, float, float, bool]]:
        """Each work's longest time without a pause: what is looked at early and made late was not made in between."""
        for key, work in self._works.items():
            if not work.spans:
                continue
            spans = _joined([(start, now if end is None else end) for start, end in work.spans.items()])
            start, end = max(spans, key=lambda span: span[1] - span[0])
            if (push := self._works.get(f"push {key}")) is not None and push.spans:
                end = max(start, min(end, *push.spans))
            yield work, start, end, None in work.spans.values()


def _places(work: _Work, known: dict[str, int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(known[key] for key in work.needs if key in known))


def _joined(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    joined: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1] + _GAP_SECONDS:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _step(work: _Work, start: float, end: float, unfinished: bool, since: float) -> Step:  # noqa: FBT001  of a tuple
    return Step(
        name=_USERINFO.sub("", work.name),
        start=round(start - since, 3),
        seconds=round(max(0.0, end - start), 3),
        state=State.RUNNING if unfinished and work.state is State.DONE else work.state,
    )


def _unix(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
