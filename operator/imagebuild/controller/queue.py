"""The work queue: keys, each worked on by one worker at a time, again after a while if that failed.

As in client-go: a key that is added while it waits is not added twice; one that is added while it is worked on is done
again afterwards. kopf has no such thing: it calls a handler per event and forgets what failed.

What can wait comes behind the others, but not last: where a thousand builds come at once their pods are made before it
is written down that these run, and that is written once instead of twice.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from imagebuild.controller.cluster import ApiError, ClusterError
from imagebuild.controller.pace import Pace
from imagebuild.core.admit import Key

_log = logging.getLogger(__name__)

_STRIDE = 4
"""So many turns of the others for one of what can wait."""


class WorkQueue:
    def __init__(self, pace: Pace, failed: Callable[[Exception], None] = lambda _: None) -> None:
        """`failed` is told of whatever a worker's work raised."""
        self._pace, self._failed = pace, failed
        self._ready: asyncio.PriorityQueue[tuple[int, int, Key]] = asyncio.PriorityQueue()
        """Turns, the order of those with the same, and keys. One that was moved forward is there twice."""
        self._turn, self._newest_turn, self._order = 0, {False: 0, True: 0}, itertools.count()
        self._dirty: dict[Key, bool] = {}
        """What is to be worked on, or once more, and whether that can wait."""
        self._busy: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._held: set[Key] = set()
        """The API server wants to hear nothing of them until their timers are due, whatever the news."""
        self._timers: dict[Key, tuple[float, asyncio.TimerHandle]] = {}

    @property
    def depth(self) -> int:
        return len(self._dirty)

    def add(self, key: Key, *, later: bool = False) -> None:
        """`later`: it can wait. Of five turns such keys have one as long as there are others."""
        waits = self._dirty.get(key)
        if key in self._held or waits is False or (waits and later):
            return
        self._dirty[key] = later
        if key not in self._busy:
            self._line_up(key)

    def _line_up(self, key: Key) -> None:
        later = self._dirty[key]
        turn = max(self._turn, self._newest_turn[later]) + (_STRIDE if later else 1)
        self._newest_turn[later] = turn
        self._ready.put_nowait((turn, next(self._order), key))

    def add_after(self, key: Key, seconds: float) -> None:
        """Once for a key: the earliest time asked for wins."""
        loop = asyncio.get_running_loop()
        at = loop.time() + max(0.0, seconds)
        if (planned := self._timers.get(key)) is not None:
            if planned[0] <= at:
                return
            planned[1].cancel()
        self._timers[key] = (at, loop.call_at(at, self._due, key))

    def plan(self, key: Key, moment: datetime | None) -> None:
        """When it comes by itself, instead of what was planned so far; None: not at all. What is over or gone would be
        kept in mind for as long as it could have taken."""
        if (planned := self._timers.pop(key, None)) is not None:
            planned[1].cancel()
        if moment is not None:
            self.add_after(key, (moment - datetime.now(moment.tzinfo)).total_seconds())

    def failures(self, key: Key) -> int:
        """In a row, up to now."""
        return self._failures.get(key, 0)

    async def work(self, do: Callable[[Key], Awaitable[bool]]) -> None:
        """One worker; runs for ever. What `do` raises is logged, and the key comes again with exponential back-off,
        until it says that it got somewhere."""
        while True:
            self._turn, _, key = await self._ready.get()
            if key in self._busy or self._dirty.pop(key, None) is None:
                continue  # it has had its turn further forward
            self._busy.add(key)
            try:
                got_somewhere = await do(key)
            except Exception as error:  # noqa: BLE001 whatever it is, the key must not be lost
                self._later(key, error)
            else:
                if got_somewhere:
                    self._failures.pop(key, None)
            finally:
                self._busy.discard(key)
                if key in self._dirty:
                    self._line_up(key)
            await asyncio.sleep(0)  # else the loop stands still while thousands wait with which there is nothing to do

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self._held.discard(key)
        self.add(key)

    def _later(self, key: Key, error: Exception) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        seconds = pause(failures, error, self._pace)
        ours = None if isinstance(error, ClusterError) else error
        told = {"namespace": key[0], "build": key[1]}
        _log.warning(
            "%s/%s: %s: %s; trying again in %.1f s",
            *key,
            type(error).__name__,
            error,
            seconds,
            exc_info=ours,
            extra=told,
        )
        self._failed(error)
        if isinstance(error, ApiError) and error.retry_after:
            self._hold(key)
        self.add_after(key, seconds)

    def _hold(self, key: Key) -> None:
        self._held.add(key)
        self._dirty.pop(key, None)
        self.plan(key, None)  # what was planned is earlier than the server wants, or does not matter


def pause(failures: int, error: Exception, pace: Pace) -> float:
    """Seconds until the next try after so many failures in a row: at least as long as the API server has asked for."""
    asked = error.retry_after if isinstance(error, ApiError) else 0.0
    return max(asked, min(pace.error * (1 << min(failures - 1, 16)), pace.longest_error))
