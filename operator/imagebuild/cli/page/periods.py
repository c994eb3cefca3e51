"""The phases of a build as one bar: until its container runs, then what is done in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from imagebuild.cli.chart import took
from imagebuild.cli.page.drawing import Part, lanes
from imagebuild.cli.page.markup import Markup, element
from imagebuild.cli.phases import EXPORT, PHASES, Span
from imagebuild.contract.timeline import State

__all__ = ["periods", "section"]

_PUSH, _CACHE = "pushing ", "exporting cache"


def periods(spans: Sequence[Span]) -> list[Span]:
    """The phases, and all steps as four more: what is built, the image's export, its push, the cache's export."""
    steps = [span for span in spans if span.group != PHASES]
    made = {
        "build": [span for span in steps if span.group != EXPORT],
        "image export": [span for span in steps if span.group == EXPORT and not span.name.startswith((_PUSH, _CACHE))],
        "push": [span for span in steps if span.group == EXPORT and span.name.startswith(_PUSH)],
        "cache export": [span for span in steps if span.group == EXPORT and span.name.startswith(_CACHE)],
    }
    phases = [span for span in spans if span.group == PHASES]
    return [*phases, *(_whole(name, of) for name, of in made.items() if of)]


def _whole(name: str, of: Sequence[Span]) -> Span:
    start, end = min(span.start for span in of), max(span.end for span in of)
    states = {span.state for span in of}
    state = next((state for state in (State.RUNNING, State.FAILED) if state in states), State.DONE)
    return Span(group=PHASES, name=name, start=start, seconds=(end - start).total_seconds(), state=state)


def section(spans: Sequence[Span]) -> Markup | None:
    found = periods(spans)
    if not found:
        return None
    begin, end = _window(found)
    seconds = max(0.1, (end - begin).total_seconds())
    parts = [
        Part(
            name=span.name,
            start=max(0.0, (span.start - begin).total_seconds()),
            seconds=max(0.0, (span.end - max(span.start, begin)).total_seconds()),
            state=span.state,
        )
        for span in found
    ]
    legend = element("ol", *_legend(found), class_="legend")
    cut = [element("p", "The wait in the queue is drawn shorter than it was.")] if begin > found[0].start else []
    title = element("h2", "Where the time went", id="time")
    return element("section", title, lanes(parts, seconds), legend, *cut, aria_labelledby="time")


def _window(found: Sequence[Span]) -> tuple[datetime, datetime]:
    """A wait in the queue takes at most a quarter: what comes after it is what can be made quicker."""
    first, end = min(span.start for span in found), max(span.end for span in found)
    worked = min((span.start for span in found if not span.name.startswith("queue")), default=first)
    begin = max(first, worked - (end - worked) / 3) if end > worked else first
    return (begin if begin - first > timedelta(seconds=1) else first), end


def _legend(found: Sequence[Span]) -> Iterator[Markup]:
    for span in found:
        word = {State.FAILED: " (failed)", State.RUNNING: " (goes on)"}.get(span.state, "")
        yield element("li", f"{span.name}{word} ", element("strong", took(span)))
