"""The log of a build pod, each line once: over rotations, broken connections, and pods that have not started yet.

The kubelet takes whole seconds as the place to go on from, so a new connection repeats lines; and it gives only the
newest file of a log: after a rotation lines can be missing. `Cursor` takes away the one and says the other.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from imagebuild.cli import view
from imagebuild.cli.problem import ApiError
from imagebuild.contract import timeline
from imagebuild.contract.layout import CONTAINER

__all__ = ["Cursor", "Line", "Pod", "Source", "everything", "lines"]

_OVERLAP = timedelta(seconds=2)
"""How far the times of two lines can be in the wrong order: one is standard output's, the other standard error's."""
_LONGEST_PAUSE_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 0.5
_PATIENCE = 20
_FINAL = {403}
_NO_LOG = {400, 404}
"""Of a pod that has not started, or is not there; it may still come, as long as it is not over."""
_GAP = "… lines may be missing here: the node has rotated the log …"


@dataclass(frozen=True, slots=True)
class Line:
    time: str
    text: str


class Cursor:
    """Where in a log we are. `begin` before each connection, `take` each of its lines."""

    def __init__(self) -> None:
        self._recent: deque[tuple[datetime, Line]] = deque()
        self._start: datetime | None = None
        self._again: Counter[Line] = Counter()
        self._first = False

    @property
    def since(self) -> str | None:
        """What to ask the kubelet for: None is all."""
        return self._start.strftime("%Y-%m-%dT%H:%M:%SZ") if self._start else None

    def begin(self) -> None:
        self._again = Counter(line for moment, line in self._recent if self._start and moment >= self._start)
        self._first = bool(self._again)

    def take(self, raw: bytes) -> list[Line]:
        """The line if it is new, and before it a word about lines that are missing."""
        stamp, _, text = raw.decode(errors="replace").rstrip("\n").partition(" ")
        line = Line(stamp, text)
        first, self._first = self._first, False
        if self._again[line]:
            self._again[line] -= 1
            return []
        if first and (begun := self._begun_by(text)):
            self._first = begun != self._recent[-1][1]
            return []
        if moment := view.time(stamp):
            self._remember(moment, line)
        # what was asked for begins with lines that are known; their file is gone where it does not
        return [Line(stamp, _GAP), line] if first else [line]

    def _begun_by(self, text: str) -> Line | None:
        """A file may begin in the middle of a line, which was shown whole while it was written."""
        known = [line for line in self._again if text and line.text != text and line.text.endswith(text)]
        return known[-1] if known else None

    def _remember(self, moment: datetime, line: Line) -> None:
        self._recent.append((moment, line))
        start = (moment - _OVERLAP).replace(microsecond=0)
        self._start = max(start, self._start) if self._start else start
        while self._recent[0][0] < self._start:
            self._recent.popleft()


class Source(Protocol):
    def log(self, pod: str, container: str, *, since: str | None, follow: bool) -> Iterator[bytes]: ...


@dataclass(eq=False)
class Pod:
    """One whose log is read. The reader is told what becomes of it: `tell` from any thread."""

    name: str
    over: bool = False
    _news: threading.Event = field(default_factory=threading.Event)

    def tell(self, *, over: bool) -> None:
        self.over = self.over or over
        self._news.set()

    def wait(self, seconds: float) -> None:
        """For news, or that long."""
        if not self.over:
            self._news.wait(seconds)
        self._news.clear()


def lines(source: Source, pod: Pod, pause: Callable[[float], Any] = time.sleep) -> Iterator[Line]:
    """Those for people: without what `imagebuild timeline` reads."""
    return (line for line in everything(source, pod, pause) if not line.text.startswith(timeline.PREFIX))


def everything(source: Source, pod: Pod, pause: Callable[[float], Any] = time.sleep) -> Iterator[Line]:
    """All lines of the pod's log until it is over. Raises ApiError where the log may not be read, or is gone."""
    cursor, seconds, troubles = Cursor(), _FIRST_PAUSE_SECONDS, 0
    while True:
        last = pod.over
        cursor.begin()
        try:
            for raw in source.log(pod.name, CONTAINER, since=cursor.since, follow=not last):
                if raw.endswith(b"\n") or last:  # else the connection broke in the middle of it
                    yield from cursor.take(raw)
                    seconds, troubles = _FIRST_PAUSE_SECONDS, 0
            if last:
                return
        except ApiError as error:
            troubles += 1
            if error.status in _FINAL or (last and (error.status in _NO_LOG or troubles > _PATIENCE)):
                raise
            if last:
                pause(seconds)
        pod.wait(seconds)
        seconds = min(2 * seconds, _LONGEST_PAUSE_SECONDS)
