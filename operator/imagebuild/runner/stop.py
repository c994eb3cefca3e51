"""Requests to stop: TERM from the kubelet, or a word of the operator in the pod's annotation."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from imagebuild.contract.reasons import Reason
from imagebuild.runner.problem import Problem

__all__ = ["Stop"]

_LOOK_EVERY_SECONDS = 0.2
_WORDS = {Reason.CANCELLED, Reason.SUPERSEDED, Reason.TIMED_OUT}
"""What the operator may give as a reason; anything else is just a stop."""


class Stop:
    """Threads watch; whoever waits for something asks `check` while waiting."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._reason: Reason | None = None

    def watch(self) -> None:
        """Call before any other thread is started: they inherit the blocked signal."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        # with Python's own handler a RUN step could interrupt us; without one the kernel keeps it off a first process
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for target in (self._wait_for_term, self._follow_file):
            threading.Thread(target=target, daemon=True).start()

    @property
    def reason(self) -> Reason | None:
        return self._reason

    def check(self) -> None:
        """Raises Problem once the build is to stop."""
        if self._reason is not None:
            raise Problem(self._reason, self._reason.row.sentence)

    def _wait_for_term(self) -> None:
        while True:
            info = signal.sigwaitinfo({signal.SIGTERM})
            # the kubelet is outside of our process namespace and shows as 0; a RUN step shares it and has an id
            if info.si_pid == 0 or not _first_process():
                self._ask(Reason.STOPPED)

    def _follow_file(self) -> None:
        pause = threading.Event()
        while not pause.wait(_LOOK_EVERY_SECONDS):
            try:
                word = self._file.read_text().strip()
            except OSError:
                continue
            if word:
                self._ask(next((reason for reason in _WORDS if reason == word), Reason.STOPPED))

    def _ask(self, reason: Reason) -> None:
        """The operator's word says more than the TERM that may follow it."""
        if self._reason in (None, Reason.STOPPED):
            self._reason = reason


def _first_process() -> bool:
    return os.getpid() == 1
