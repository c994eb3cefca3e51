"""A command at a running build: shows what goes on, and lets Ctrl-C leave it or cancel it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from imagebuild.cli import changing, waiting
from imagebuild.cli.exits import Exit
from imagebuild.cli.follow import Follower, Interrupted, Told
from imagebuild.cli.interrupts import answered
from imagebuild.cli.logs import Line
from imagebuild.cli.problem import ApiError, Problem
from imagebuild.cli.terminal import Screen
from imagebuild.cli.view import View
from imagebuild.contract.reasons import Fault, Reason

if TYPE_CHECKING:
    from imagebuild.cli.cluster import Cluster

__all__ = ["Attached"]

_SECOND_THOUGHTS_SECONDS = 3.0
_FORBIDDEN = 403


class Attached:
    def __init__(
        self,
        cluster: Cluster,
        name: str,
        screen: Screen,
        line: Callable[[Line], None] | None,
        *,
        after_run: int = 0,
        cancel_on_interrupt: bool = False,
    ) -> None:
        self._cluster, self._name, self._screen, self._cancels = cluster, name, screen, cancel_on_interrupt
        self._said = ""
        self._run = 0
        self._owner = ""
        self._lacked = False
        told = Told(state=self._state, line=line, pod=self._pod, trouble=self._trouble)
        self._follower = Follower(cluster, name, told, after_run=after_run)

    def result(self, seconds: float | None = None) -> View:
        """The build when it is over. Raises Problem where that is not to be waited for."""
        deadline = None if seconds is None else time.monotonic() + seconds
        self._follower.start()
        try:
            found = self._wait(deadline)
        finally:
            self._screen.done()
        if found is None:
            raise Problem(f"{self._name} was not over after {seconds:.0f} s.", self._ways(), Exit.TOO_LATE)
        return found

    def _wait(self, deadline: float | None) -> View | None:
        try:
            with self._interruptible():
                return self._follower.result(deadline)
        except (Interrupted, KeyboardInterrupt) as heard:
            self._screen.done()
            twice = isinstance(heard, KeyboardInterrupt) and self._screen.live
            if not (self._cancels or twice or self._second_thoughts()):
                raise click.Abort from None
        self._cancel()
        while True:
            with suppress(Interrupted):  # heard before the cancel, and meant no more than that
                return self._follower.result(deadline)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Ctrl-C and TERM are heard between two lines; a second Ctrl-C at once, as KeyboardInterrupt."""

        def hear(*_: object) -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._follower.interrupt()

        with answered(hear):
            yield

    def _second_thoughts(self) -> bool:
        """Whether a second Ctrl-C follows."""
        self._screen.say(f"{self._name} goes on. {self._ways()}", "bold")
        if not self._screen.live:
            return False
        # what a shell starts in its background ignores SIGINT, and came here all the same
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self._screen.say("Ctrl-C once more cancels it.", "bold")
            time.sleep(_SECOND_THOUGHTS_SECONDS)
        except KeyboardInterrupt:
            return True
        finally:
            signal.signal(signal.SIGINT, before)
        return False

    def _ways(self) -> str:
        where = f" -n {self._cluster.namespace}"
        return f"Come back: imagebuild logs -f {self._name}{where}. Stop it: imagebuild cancel {self._name}{where}."

    def _cancel(self) -> None:
        try:
            self._cluster.patch(self._name, changing.cancel(self._run or 1))
        except ApiError as error:
            if error.status != _FORBIDDEN or not self._owner:
                raise
            # CI jobs have the right to create builds, and mostly no other
            raise Problem(f"{self._name} ends with the pod {self._owner}, its owner.", code=Exit.INTERRUPTED) from error
        self._screen.say(f"Cancelling run {self._run or 1} of {self._name} …", "bold")

    def _state(self, build: View) -> None:
        self._run = build.run
        self._owner = next((each["name"] for each in build.metadata.get("ownerReferences") or ()), "")
        row = build.row
        self._lacked |= row is not None and row.fault is Fault.WAITING and bool(row.next_step)
        place = None
        if build.reason == Reason.QUEUED:
            with suppress(ApiError):  # then without
                others = [View(each) for each in self._cluster.builds(self._cluster.namespace)]
                place = waiting.place_in_queue(build, others)
        text = waiting.state(build, place, datetime.now(UTC))
        if build.over or build.reason == Reason.BUILDING:
            self._screen.done()
        elif self._screen.live:
            self._screen.progress(text)
        # where a line cannot change, a number of seconds that does is no news
        elif (steady := text if build.reason != Reason.RETRYING else f"{build.attempt}") != self._said:
            self._said = steady
            self._screen.say(text)

    def _pod(self, name: str, attempt: int) -> None:
        if attempt > 1:  # a pod that looked for what was missing is counted, too, and cost nothing
            self._screen.say(f"Looks again: pod {name}" if self._lacked else f"Attempt {attempt}: pod {name}", "bold")
        self._lacked = False

    def _trouble(self, text: str) -> None:
        self._screen.say(text, "yellow")
