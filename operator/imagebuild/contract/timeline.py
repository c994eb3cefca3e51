"""When each step of a build was done: a line of the pod's log that the runner writes and `imagebuild timeline` reads.

It is in the log because there is nowhere else: a status and a termination message are too small for it. Nothing that
buildctl passes on begins as the runner's own lines do, so no output of a step can be taken for this one. Its reader
still expects nothing of it: RUN steps share the pod.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from enum import StrEnum

from imagebuild.contract.codec import decode, encode
from imagebuild.contract.layout import OURS

__all__ = ["LIMIT", "PREFIX", "WORD", "State", "Step", "Timeline", "dump", "parse"]

WORD = "timeline "
PREFIX = OURS + WORD
LIMIT = 12_288
"""Bytes, less than the 16 KiB up to which container runtimes keep a line of a log in one piece."""
_NAMES = (120, 60, 30)
"""How long a name may be, tried in turn."""


class State(StrEnum):
    DONE = "Done"
    CACHED = "Cached"
    FAILED = "Failed"
    CANCELED = "Canceled"
    RUNNING = "Running"
    """Not over, when this was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    name: str
    """As BuildKit has it: `[build 3/7] RUN make`."""
    start: float
    """Seconds after the timeline's `since`."""
    seconds: float = 0.0
    state: State = State.DONE
    needs: tuple[int, ...] = ()
    """Places in the timeline's `steps` of those whose result it works on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    since: float
    """Unix time."""
    steps: tuple[Step, ...] = ()
    more: int = 0
    """Steps that were left out for want of room, the shortest ones."""


def dump(timeline: Timeline) -> str:
    """What follows the prefix: LIMIT bytes at most. Names are cut first, then the shortest steps go."""
    for length in _NAMES:
        cut = tuple(dataclasses.replace(step, name=step.name[:length]) for step in timeline.steps)
        text = _line(dataclasses.replace(timeline, steps=cut))
        if len(text.encode()) <= LIMIT:
            return text
    shortest = sorted(range(len(cut)), key=lambda place: cut[place].seconds)
    dropped = 0
    while len(text.encode()) > LIMIT:
        dropped += max(1, (len(cut) - dropped) // 10)
        kept = _without(cut, set(shortest[:dropped]))
        text = _line(Timeline(since=timeline.since, steps=kept, more=timeline.more + dropped))
    return text


def _without(steps: tuple[Step, ...], gone: set[int]) -> tuple[Step, ...]:
    kept = [place for place in range(len(steps)) if place not in gone]
    now = {place: new for new, place in enumerate(kept)}
    needs = (tuple(now[need] for need in steps[place].needs if need in now) for place in kept)
    return tuple(dataclasses.replace(steps[place], needs=each) for place, each in zip(kept, needs, strict=True))


def parse(line: str) -> Timeline | None:
    """A line of a log, if it is one of these and can be read."""
    if not line.startswith(PREFIX) or len(line) > LIMIT + len(PREFIX):
        return None
    try:
        return decode(Timeline, json.loads(line.removeprefix(PREFIX)))
    except (ValueError, RecursionError):
        return None


def _line(timeline: Timeline) -> str:
    return json.dumps(encode(timeline), separators=(",", ":"))
