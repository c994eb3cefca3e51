"""Admission: one task that says whose turn it is, so that no two workers ever count the same slot free.

A slot that was handed out is reserved in memory until the pod is there; from then on the pod itself counts. After a
restart nothing is reserved and every live pod counts, so nothing has to be stored.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from imagebuild.api.config import OperatorConfig
from imagebuild.api.timespan import seconds
from imagebuild.contract.reasons import Fault, Reason
from imagebuild.controller.queue import WorkQueue
from imagebuild.controller.store import Store
from imagebuild.core.admit import Candidate, Claim, Group, Key, Member, Verdict, admit
from imagebuild.core.cachevolume import claim


def now() -> datetime:
    return datetime.now(UTC)


class Slots:
    def __init__(
        self,
        store: Store,
        queue: WorkQueue,
        config: Callable[[], OperatorConfig],
        look: float,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """`look`: seconds until pods that cannot start are looked at again; no event tells how long they have not."""
        self._store, self._queue, self._config, self._look, self._clock = store, queue, config, look, clock
        self._waiting: dict[Key, Candidate] = {}
        self._verdicts: dict[Key, Verdict] = {}
        self._reserved: set[Key] = set()
        self._changed = asyncio.Event()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def verdict(self, key: Key) -> Verdict | None:
        """None as long as admission has not looked at it."""
        return self._verdicts.get(key)

    def ask(self, candidate: Candidate) -> None:
        if self._waiting.get(candidate.key) != candidate:
            self._waiting[candidate.key] = candidate
            self._changed.set()

    def release(self, key: Key) -> None:
        """The build has its pod, or wants no slot any more."""
        self._reserved.discard(key)
        if self._waiting.pop(key, None) is not None or self._admitted(key):
            self._verdicts.pop(key, None)
        self.poke()

    def poke(self) -> None:
        """A pod may have ended."""
        if self._waiting:
            self._changed.set()

    async def run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), self._look if self._waiting else None)
            self._changed.clear()
            self.judge()

    def judge(self) -> None:
        """Says anew whose turn it is, and brings back those for whom that has changed."""
        config = self._config()
        patience = timedelta(seconds=seconds(config.timeouts.slot))
        running = {*self._store.running(self._clock() - patience), *self._reserved}
        told = {key for key, verdict in self._verdicts.items() if verdict.reason is not Reason.QUEUE_FULL}
        verdicts = admit(self._waiting.values(), running, config.limits, self._groups(), told, claims=self._claims())
        for key in self._verdicts.keys() - verdicts.keys() - self._reserved:
            del self._verdicts[key]
        for key, verdict in verdicts.items():
            if self._verdicts.get(key) != verdict:
                self._verdicts[key] = verdict
                waits = verdict.reason.row.fault is Fault.WAITING and verdict.reason is not Reason.STARTING
                self._queue.add(key, later=waits)
            if verdict.reason is Reason.STARTING:
                del self._waiting[key]
                self._reserved.add(key)

    def _groups(self) -> dict[Group, tuple[Member, ...]]:
        wanted = {candidate.group for candidate in self._waiting.values() if candidate.group is not None}
        return {group: tuple(self._members(group)) for group in wanted}

    def _claims(self) -> dict[Claim, Key]:
        """Cache volumes in use. Every pod that has not ended counts, whether or not it takes a slot."""
        if all(candidate.claim is None for candidate in self._waiting.values()):
            return {}
        soon = ((key, self._store.build(key)) for key in self._reserved)
        asked = {found: key for key, build in soon if build is not None and (found := claim(build)) is not None}
        return {**asked, **dict(self._store.claims())}

    def _members(self, group: Group) -> list[Member]:
        found = (
            self._store.member(key, self._waiting.get(key), reserved=key in self._reserved)
            for key in self._store.group(group)
        )
        return [each for each in found if each is not None]

    def _admitted(self, key: Key) -> bool:
        found = self._verdicts.get(key)
        return found is not None and found.reason is Reason.STARTING
