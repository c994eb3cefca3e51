"""Spans of time as bars under each other, as wide as the terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from imagebuild.cli.phases import INTERNAL, PHASES, Span
from imagebuild.cli.terminal import harmless
from imagebuild.contract.timeline import State

__all__ = ["Row", "chart", "label", "took"]

_BARS = {
    State.DONE: ("█", "#"),
    State.CACHED: ("▒", "="),
    State.FAILED: ("▚", "x"),
    State.CANCELED: ("▞", "/"),
    State.RUNNING: ("░", ">"),
}
"""On a terminal, and in plain ASCII."""
_STYLES = {State.CACHED: "cyan", State.FAILED: "bold red", State.CANCELED: "dim", State.RUNNING: "yellow"}
_WORDS = {State.CACHED: "cached", State.FAILED: "failed", State.CANCELED: "canceled", State.RUNNING: "running"}
_CUT = ("◂", "<")
_SHORT_SECONDS = 0.1
_TIME_WIDTH, _NARROWEST_BAR, _NARROWEST = 9, 8, 30
_LABEL_SHARE = 0.45


@dataclass(frozen=True, slots=True)
class Row:
    text: str
    style: str = ""


def chart(spans: Sequence[Span], width: int, *, plain: bool) -> list[Row]:
    """No row is wider than `width`, as long as that is not less than 30 columns."""
    if not spans:
        return []
    width = max(width, _NARROWEST)
    shown = [span for span in spans if not _negligible(span)]
    axis = _Axis.of(shown, width, plain=plain)
    rows = [*_rows(shown, axis), Row(""), Row(axis.legend({span.state for span in shown}), "dim")]
    if hidden := len(spans) - len(shown):
        told = f"{hidden} more of BuildKit's own, each less than {_SHORT_SECONDS} s: -o json"
        rows.append(Row(_fit(told, width), "dim"))
    return rows


def _negligible(span: Span) -> bool:
    """What BuildKit does for itself in no time; a cached step of the Dockerfile takes none either, and is shown."""
    return span.group == INTERNAL and span.seconds < _SHORT_SECONDS and span.state in (State.DONE, State.CACHED)


def _rows(spans: Sequence[Span], axis: _Axis) -> Iterator[Row]:
    group = ""
    for span in spans:
        if span.group != group:
            group = span.group
            yield Row(axis.text({PHASES: "phases", INTERNAL: "BuildKit"}.get(group, group)), "bold")
        yield Row(axis.row(span), _STYLES.get(span.state, ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    start: datetime
    seconds: float
    width: int
    label: int
    bar: int
    plain: bool

    @classmethod
    def of(cls, spans: Sequence[Span], width: int, *, plain: bool) -> _Axis:
        """A wait in the queue takes at most a quarter: what comes after it is what can be made quicker."""
        first, end = min(span.start for span in spans), max(span.end for span in spans)
        worked = min((span.start for span in spans if not span.name.startswith("queue")), default=first)
        start = max(first, worked - (end - worked) / 3) if end > worked else first
        room = width - _TIME_WIDTH - 2
        longest = max(len(label(span)) for span in spans) + 2
        shown = min(longest, int(width * _LABEL_SHARE), room - _NARROWEST_BAR)
        seconds = max((end - start).total_seconds(), 0.001)
        return cls(start=start, seconds=seconds, width=width, label=shown, bar=room - shown, plain=plain)

    def row(self, span: Span) -> str:
        return f"{self.text('  ' + label(span), self.label)} {self._bar(span)} {took(span):>{_TIME_WIDTH}}"

    def _bar(self, span: Span) -> str:
        """At least one character, where it began."""
        left = min(self._place(span.start), self.bar - 1)
        right = min(max(self._place(span.end), left + 1), self.bar)
        drawn = _BARS[span.state][self.plain] * (right - left)
        if span.start < self.start - timedelta(seconds=1):
            drawn = _CUT[self.plain] + drawn[1:]
        return (" " * left + drawn).ljust(self.bar)

    def _place(self, moment: datetime) -> int:
        return round(min(max((moment - self.start).total_seconds() / self.seconds, 0.0), 1.0) * self.bar)

    def text(self, text: str, width: int | None = None) -> str:
        return _fit(_plain(text) if self.plain else harmless(text), width or self.width, pad=width is not None)

    def legend(self, states: set[State]) -> str:
        """Only of what is in the chart."""
        told = [f"{_BARS[state][self.plain]} {word}" for state, word in _WORDS.items() if state in states]
        return _fit(", ".join([f"{self.seconds:.1f} s from left to right", *told]), self.width)


def label(span: Span) -> str:
    """Without its stage, which is above it: `2/3 RUN make`."""
    if span.name.startswith("[") and span.group not in (INTERNAL, PHASES):
        place, _, text = span.name[1:].partition("] ")
        return f"{place.split()[-1]} {text}"
    return span.name


def took(span: Span) -> str:
    if span.state is State.CACHED:
        return "cached"
    if span.seconds >= 3600:  # noqa: PLR2004  an hour
        return f"{int(span.seconds) // 3600}h{int(span.seconds) % 3600 // 60:02}m"
    if span.seconds >= 60:  # noqa: PLR2004  a minute
        return f"{int(span.seconds) // 60}m{int(span.seconds) % 60:02}s"
    return f"{span.seconds:.1f}s"


def _plain(text: str) -> str:
    return harmless(text).encode("ascii", "replace").decode()


def _fit(text: str, width: int, *, pad: bool = False) -> str:
    """In columns of a terminal, where some characters take two."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415  only this command needs it

    text = " ".join(text.split("\n"))
    return set_cell_size(text, width) if pad or cell_len(text) > width else text
