"""Notices a build that goes on without saying or doing anything, as a RUN step does that hangs."""

from __future__ import annotations

import time
from pathlib import Path

__all__ = ["Silence", "sent"]

_BLOCK = 64 * 1024
"""Less than this is no progress of a push: a connection that hangs is kept alive by a few bytes."""


class Silence:
    def __init__(self, limit: float | None) -> None:
        """Of so many seconds; None: none is too long."""
        self._limit = limit
        self._signs: tuple[int, ...] = ()
        self._since = time.monotonic()

    def too_long(self, *signs: int) -> bool:
        """`signs` are numbers that change whenever something is said or done."""
        if signs != self._signs:
            self._signs, self._since = signs, time.monotonic()
        return self._limit is not None and time.monotonic() > self._since + self._limit


def sent(interfaces: Path = Path("/proc/net/dev")) -> int:
    """How much this pod has sent so far, in blocks: BuildKit does not say how far a push has come."""
    try:
        lines = interfaces.read_text().splitlines()[2:]
        return sum(int(line.partition(":")[2].split()[8]) for line in lines) // _BLOCK
    except (OSError, ValueError, IndexError):
        return 0
