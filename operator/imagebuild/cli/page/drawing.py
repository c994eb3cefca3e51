"""Bars, as SVG in percent of the width: no style has to be written into the page for them, and they are printed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from imagebuild.cli.page.graph import Node
from imagebuild.cli.page.markup import Markup, element
from imagebuild.contract.timeline import State

__all__ = ["Part", "axis", "bar", "lanes", "patterns"]

_HEIGHT, _LANE, _GAP = 16, 22, 4
_NARROW = 2.0
"""Percent of the width in which a number has no room."""
_LEAST = 0.4
_LAST, _MARKS = 0.94, 4
_HATCHES = {
    "cached": "M0 6 L6 0 M-1 1 L1 -1 M5 7 L7 5",
    "failed": "M0 0 L6 6 M0 6 L6 0",
    "canceled": "M0 0 L6 6",
    "running": "M0 3 L3 3",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Of a bar that others share."""

    name: str
    start: float
    seconds: float
    state: State = State.DONE

    @property
    def end(self) -> float:
        return self.start + self.seconds


def patterns() -> Markup:
    """States differ by more than their colour."""
    made = [
        element(
            "pattern",
            element("rect", class_=f"under-{name}", width="6", height="6"),
            element("path", class_=f"over-{name}", d=path),
            id=f"pattern-{name}",
            width="6",
            height="6",
            patternUnits="userSpaceOnUse",
        )
        for name, path in _HATCHES.items()
    ]
    return element("svg", element("defs", *made), class_="patterns", width="0", height="0", aria_hidden="true")


def bar(node: Node, seconds: float) -> Markup:
    rect = _rect(node.start, node.span.seconds, seconds, y=2, height=_HEIGHT - 6, state=node.state)
    x, end = _ends(node.start, node.span.seconds, seconds)
    ruled = element("line", class_="rule", x1=f"{x:.2f}%", x2=f"{end:.2f}%", y1="14.5", y2="14.5")
    return element("svg", rect, ruled if node.critical else None, class_="bar", height=str(_HEIGHT), aria_hidden="true")


def axis(seconds: float) -> Markup:
    """The seconds from left to right at round places."""
    step = _round(seconds / _MARKS)
    texts = []
    for count in range(int(seconds / step) + 1):
        place = count * step / seconds
        anchor = "start" if not count else "end" if place > _LAST else "middle"
        texts.append(element("text", f"{count * step:g} s", x=f"{place * 100:.2f}%", y="12", text_anchor=anchor))
        texts.append(element("line", x1=f"{place * 100:.2f}%", x2=f"{place * 100:.2f}%", y1="15", y2="20"))
    return element("svg", *texts, class_="axis", height="20", aria_hidden="true")


def lanes(parts: Sequence[Part], seconds: float) -> Markup:
    """Numbered from 1; what goes on at the same time is below each other."""
    ends: list[float] = []
    drawn = []
    for number, part in enumerate(parts, 1):
        lane = next((lane for lane, end in enumerate(ends) if end <= part.start + seconds / 1000), len(ends))
        ends[lane : lane + 1] = [part.end]
        y = lane * (_LANE + _GAP)
        drawn.append(_rect(part.start, part.seconds, seconds, y=y + 1, height=_LANE - 2, state=part.state))
        if _percent(part.seconds, seconds) > _NARROW:
            middle = _percent(part.start + part.seconds / 2, seconds)
            drawn.append(element("text", str(number), x=f"{middle:.2f}%", y=str(y + 15), text_anchor="middle"))
    height = str(max(1, len(ends)) * (_LANE + _GAP))
    return element("svg", *drawn, class_="lanes", height=height, aria_hidden="true")


def _rect(start: float, took: float, seconds: float, *, y: int, height: int, state: State) -> Markup:
    x, end = _ends(start, took, seconds)
    size = {"x": f"{x:.2f}%", "width": f"{end - x:.2f}%", "y": str(y), "height": str(height)}
    return element("rect", class_=state.value.lower(), **size)


def _ends(start: float, took: float, seconds: float) -> tuple[float, float]:
    """Something to see also of what took no time."""
    x = min(_percent(start, seconds), 100 - _LEAST)
    return x, max(x + _LEAST, min(100.0, x + _percent(took, seconds)))


def _percent(part: float, whole: float) -> float:
    return max(0.0, min(1.0, part / whole)) * 100


def _round(seconds: float) -> float:
    """1, 2 or 5 with noughts, the next one up."""
    power = 10.0 ** math.floor(math.log10(seconds))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= seconds)
