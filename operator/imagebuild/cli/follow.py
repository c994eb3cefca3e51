"""Follow a build to its end: its states and the logs of its pods, one attempt after the other.

Two threads read, one the ImageBuild and one the logs. What they find meets in a queue, as does Ctrl-C, so that nothing
that was found is lost by it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from imagebuild.cli import logs, watching
from imagebuild.cli.exits import Exit
from imagebuild.cli.logs import Line, Pod
from imagebuild.cli.problem import ApiError, Problem
from imagebuild.cli.view import View
from imagebuild.contract.reasons import Reason

__all__ = ["Follower", "Interrupted", "Source", "Told"]

_LOOK_SECONDS = 15.0
"""How often the place in the queue is asked for while the build waits."""
_LINES_AHEAD = 10_000
_NOT_STARTED = 400
"""What is answered for the log of a pod that never started: there is none."""


class Source(Protocol):
    """Of cluster.Cluster, what it takes to follow a build."""

    def build(self, name: str) -> dict[str, Any]: ...

    def watch(self, name: str, resource_version: str) -> Iterator[tuple[str, dict[str, Any]]]: ...

    def log(self, pod: str, container: str, *, since: str | None, follow: bool) -> Iterator[bytes]: ...


class Interrupted(Exception):  # noqa: N818  it is no error
    """By `interrupt`; following can go on."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a follower is told: each may do nothing."""

    state: Callable[[View], None]
    """At each change, and every 15 s while the build waits for its turn."""
    line: Callable[[Line], None] | None
    """Of the log; None: no log is read."""
    pod: Callable[[str, int], None]
    """The log of another pod begins; of which attempt."""
    trouble: Callable[[str], None]
    """Something is not as it should be, and the build goes on."""


@dataclass(frozen=True, slots=True)
class _End:
    """Of a pod's log."""

    trouble: str


_Found = View | Line | _End | Problem | Interrupted


class Follower:
    def __init__(self, source: Source, name: str, told: Told, *, after_run: int = 0) -> None:
        """Runs up to `after_run` are not the one that is waited for."""
        self._source, self._name, self._told, self._after = source, name, told, after_run
        self._found: queue.SimpleQueue[_Found] = queue.SimpleQueue()
        self._ahead = threading.Semaphore(_LINES_AHEAD)
        self._pods: queue.SimpleQueue[Pod] = queue.SimpleQueue()
        self._current: Pod | None = None
        self._unread = 0
        self._last: View | None = None

    def start(self) -> None:
        for target in (self._watch, self._read):
            threading.Thread(target=target, daemon=True).start()

    def interrupt(self) -> None:
        """May be called by a signal's handler."""
        self._found.put(Interrupted())

    def result(self, deadline: float | None = None) -> View | None:
        """The build once its run is over and its log is read; None at the deadline (of time.monotonic). Raises Problem,
        and Interrupted, after which it can be called again.
        """
        while not (self._last and self._settled(self._last) and self._unread == 0):
            left = _LOOK_SECONDS if deadline is None else min(_LOOK_SECONDS, deadline - time.monotonic())
            if left <= 0:
                return None
            try:
                found = self._found.get(timeout=left)
            except queue.Empty:
                self._remind()
                continue
            self._take(found)
        return self._last

    def _take(self, found: _Found) -> None:
        match found:
            case View():
                self._last = found
                self._told.state(found)
                self._attempt(found)
            case Line():
                self._ahead.release()
                if self._told.line:
                    self._told.line(found)
            case _End(trouble):
                self._unread -= 1
                if trouble:
                    self._told.trouble(trouble)
            case error:
                raise error

    def _settled(self, build: View) -> bool:
        return build.run > self._after and build.settled(datetime.now(UTC))

    def _attempt(self, build: View) -> None:
        """Which pod's log is read, and that it is over once the operator says so."""
        if self._told.line is None or build.run <= self._after:
            return
        if build.pod and (self._current is None or self._current.name != build.pod):
            if self._current is not None:
                self._current.tell(over=True)
            self._current = Pod(build.pod)
            self._unread += 1
            self._told.pod(build.pod, build.attempt)
            self._pods.put(self._current)
        if self._current is not None:
            self._current.tell(over=not build.attempt_open)

    def _remind(self) -> None:
        if self._last and self._last.reason in (Reason.QUEUED, Reason.RETRYING):
            self._told.state(self._last)

    def _watch(self) -> None:
        try:
            for document in watching.changes(self._source, self._name):
                self._found.put(View(document))
        except Problem as problem:
            self._found.put(problem)
        except Exception as error:  # noqa: BLE001  a thread that only ends leaves `result` waiting for ever
            self._found.put(self._fault(error))

    def _read(self) -> None:
        while True:
            pod, trouble = self._pods.get(), ""
            try:
                for line in logs.lines(self._source, pod):
                    self._ahead.acquire()
                    self._found.put(line)
            except ApiError as error:
                if error.status != _NOT_STARTED:
                    trouble = f"The log of the pod {pod.name} cannot be read: {error.message}"
            except Exception as error:  # noqa: BLE001  as above
                self._found.put(self._fault(error))
            self._found.put(_End(trouble))

    def _fault(self, error: Exception) -> Problem:
        """Of this program, and so no word about how the build ends."""
        said = f"{self._name} cannot be followed: {type(error).__name__}: {error}"
        return Problem(said, "The build goes on. Please report this: imagebuild gather.", Exit.INFRASTRUCTURE)
