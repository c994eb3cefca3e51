"""Admission: one task that hands out slots for running builds, so that no two workers ever count the same slot free.

A slot that was handed out is reserved in memory until the pod is there; from then on the pod itself counts. After a
restart nothing is reserved and every live pod counts, so nothing has to be stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from imagebuild.api.config import Limits
from imagebuild.controller.queue import WorkQueue
from imagebuild.controller.store import Store
from imagebuild.core.admit import Candidate, Key, admit


class Slots:
    def __init__(self, store: Store, queue: WorkQueue, limits: Callable[[], Limits]) -> None:
        self._store, self._queue, self._limits = store, queue, limits
        self._waiting: dict[Key, Candidate] = {}
        self._told: set[Key] = set()
        self._reserved: set[Key] = set()
        self._changed = asyncio.Event()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def admitted(self, key: Key) -> bool:
        return key in self._reserved

    def told_to_wait(self, key: Key) -> bool:
        """Admission has looked at it and there is no slot: worth a line in the status."""
        return key in self._told

    def ask(self, key: Key, since: datetime) -> None:
        if key not in self._waiting:
            self._waiting[key] = Candidate(key, since)
            self._changed.set()

    def release(self, key: Key) -> None:
        """The build has its pod, or wants no slot any more."""
        self._reserved.discard(key)
        self._told.discard(key)
        self._waiting.pop(key, None)
        self.poke()

    def poke(self) -> None:
        """A pod may have ended."""
        if self._waiting:
            self._changed.set()

    async def run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            running = {*self._store.running(), *self._reserved}
            limits = self._limits()
            for key in admit(self._waiting.values(), running, limits) if len(running) < limits.running else ():
                del self._waiting[key]
                self._told.discard(key)
                self._reserved.add(key)
                self._queue.add(key)
            for key in self._waiting.keys() - self._told:
                self._told.add(key)
                self._queue.add(key)
