"""When the steps of a build were done, from its pod's log: as the runner sums it up, else from BuildKit's progress.

Progress has `#7 ` before each line, and a step's output a number of seconds after that, so no output can be taken for
progress. The times are those of the lines, which BuildKit keeps back for a moment where steps run side by side.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from imagebuild.cli import view
from imagebuild.cli.logs import Line
from imagebuild.contract import timeline
from imagebuild.contract.timeline import State, Step, Timeline

__all__ = ["Steps", "read"]

_PROGRESS = re.compile(r"^#(\d{1,6}) (.+)$")
_END = re.compile(r"^(?:DONE (\d{1,7}\.\d)s|(CACHED)|(ERROR): .*|(CANCELED))$")
_ENDS = (State.DONE, State.CACHED, State.FAILED, State.CANCELED)
_MOST = 2000


@dataclass(frozen=True, slots=True)
class Steps:
    timeline: Timeline
    exact: bool
    """As the runner has it, and not from the times of lines."""


def read(lines: Iterable[Line], now: datetime) -> Steps | None:
    """None where no step had begun."""
    summed, begun = None, dict[str, Step]()
    for line in lines:
        summed = timeline.parse(line.text) or summed
        if (found := _PROGRESS.match(line.text)) and (moment := view.time(line.time)):
            number, said = found.groups()
            if number in begun:
                begun[number] = _continued(begun[number], said, moment.timestamp())
            elif len(begun) < _MOST:
                begun[number] = Step(name=said, start=moment.timestamp(), state=State.RUNNING)
    if summed is not None:
        return Steps(summed, exact=True)
    return Steps(_timeline(begun.values(), now.timestamp()), exact=False) if begun else None


def _continued(step: Step, said: str, moment: float) -> Step:
    end = _END.match(said)
    if end is None or step.state is not State.RUNNING:
        return step
    state = next(state for state, group in zip(_ENDS, end.groups(), strict=True) if group)
    took = float(end[1]) if end[1] else moment - step.start if state is not State.CACHED else 0.0
    # what is known of how long it took is better than when its first line was let through
    return replace(step, start=moment - took, seconds=took, state=state)


def _timeline(begun: Iterable[Step], now: float) -> Timeline:
    ended = [
        replace(step, seconds=max(0.0, now - step.start)) if step.state is State.RUNNING else step for step in begun
    ]
    since = min(step.start for step in ended)
    return Timeline(since=since, steps=tuple(replace(step, start=step.start - since) for step in ended))
