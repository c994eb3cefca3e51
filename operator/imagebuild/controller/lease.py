"""Leader election by a Lease, as client-go does it: of several operators one works, and the others stand by.

The library's own election is not used: it cannot create the Lease, leads on when it cannot renew, and never releases.

A lease has run out when *this* process has seen no change of it for as long as its holder has promised, by its own
monotonic clock; times written into it are for people. Whoever holds it counts from the moment before the request was
sent, and stops to write (cluster.py asks `held`) well before anybody else could think it has run out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from imagebuild.controller.cluster import ApiError, ClusterError, Document

_log = logging.getLogger(__name__)

_NOT_FOUND = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasePace:
    """Seconds."""

    duration: float = 15.0
    """Without a change of the lease, until another takes it."""
    deadline: float = 10.0
    """Without a renewal, until the leader ends itself."""
    retry: float = 2.0
    """Between two rounds."""
    call: float = 5.0
    """What the API server is given for one answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Election:
    namespace: str
    name: str
    holder: str
    """Who we are: another one for each process, also of the same pod."""
    pace: LeasePace = LeasePace()


class Leases(Protocol):
    async def lease(self, namespace: str, name: str) -> Document: ...
    async def create_lease(self, document: Document) -> Document: ...
    async def put_lease(self, document: Document) -> Document: ...


class LostError(Exception):
    """This process must not write any more."""


class Lease:
    def __init__(self, leases: Leases, election: Election, clock: Callable[[], float] = time.monotonic) -> None:
        self._leases, self._election, self._pace, self._clock = leases, election, election.pace, clock
        self._version, self._changed_at = "", -math.inf
        self._renewed_at = self._read_at = -math.inf
        self._tried_at = math.inf
        self._claimed = False
        """It may be ours by what was sent, whether or not there was an answer."""
        self._said = ""

    def held(self) -> bool:
        return self._left() > 0

    def stuck(self) -> bool:
        """No round has begun for longer than a round can take, since the first one."""
        return self._clock() - self._tried_at > self._pace.retry + 2 * self._pace.call + 1

    def followed(self) -> bool:
        """It was read within the last two rounds: who stands by could lead."""
        return self._clock() - self._read_at <= 2 * self._pace.retry

    async def acquire(self) -> None:
        """Returns as soon as it is held."""
        while not await self.round():  # noqa: ASYNC110 nobody tells when a lease is free
            await asyncio.sleep(self._pace.retry)
        _log.info("leads, as %s", self._election.holder)

    async def keep(self) -> None:
        """Renews it until that has not worked for too long: LostError."""
        while self.held():
            await asyncio.sleep(min(self._pace.retry, self._left()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._left())):
                    if self.held():
                        await self.round()
        raise LostError(f"the lease was not renewed for {self._pace.deadline:g} s: {self._said or 'no answer'}")

    async def round(self) -> bool:
        """Reads it, and takes or renews it if that is ours to do: whether it was."""
        self._tried_at = self._clock()
        try:
            found = await self._read()
            if self.held() and _holder(found) not in (self._election.holder, ""):
                raise LostError(f"{_holder(found)} has taken the lease")
            if not self._claimable(found):
                self._say(logging.INFO, f"stands by while {_holder(found)} leads")
                return False
            write = self._leases.put_lease if found else self._leases.create_lease
            sent_at, self._claimed = self._clock(), True
            self._see(await self._answer(write(claim(found, self._election, datetime.now(UTC)))))
        except (ClusterError, TimeoutError) as error:
            self._say(
                logging.WARNING, f"the lease {self._election.namespace}/{self._election.name}: {error or 'no answer'}"
            )
            return False
        self._renewed_at, self._said = sent_at, ""
        return True

    async def release(self) -> None:
        """Gives it up, so that the next one need not wait until it has run out. Nothing may be written from here on."""
        if not self._claimed:
            return
        self._renewed_at = -math.inf
        try:
            found = await self._read()
            if found and _holder(found) == self._election.holder:
                await self._answer(self._leases.put_lease(given_up(found, datetime.now(UTC))))
        except (ClusterError, TimeoutError) as error:
            _log.warning("the lease is not released and runs out by itself: %s", error or "no answer")
        else:
            _log.info("leads no more: the lease is released")

    def _left(self) -> float:
        return self._renewed_at + self._pace.deadline - self._clock()

    def _claimable(self, found: Document | None) -> bool:
        if _holder(found) in ("", self._election.holder):
            return True
        promised = _spec(found).get("leaseDurationSeconds") or self._pace.duration
        return self._clock() - self._changed_at >= promised

    async def _read(self) -> Document | None:
        try:
            found = await self._answer(self._leases.lease(self._election.namespace, self._election.name))
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise
            self._read_at = self._clock()
            return None
        self._read_at = self._clock()
        self._see(found)
        return found

    def _see(self, document: Document) -> None:
        version = document["metadata"]["resourceVersion"]
        if version != self._version:
            self._version, self._changed_at = version, self._clock()

    async def _answer(self, call: Awaitable[Document]) -> Document:
        async with asyncio.timeout(self._pace.call):
            return await call

    def _say(self, level: int, told: str) -> None:
        if told != self._said:
            _log.log(level, "%s", told)
        self._said = told


class Candidate(Protocol):
    """The App."""

    swept: asyncio.Event
    """It could work."""

    def take_over(self) -> None:
        """Begins to work."""


@contextlib.asynccontextmanager
async def leadership(lease: Lease, candidate: Candidate, end: Callable[[int], Any]) -> AsyncIterator[None]:
    """Within the context the candidate leads, as soon as it could and nobody else does. `end(1)`: the lease is lost."""
    holding = asyncio.create_task(_hold(lease, candidate, end), name="lease")
    try:
        yield
    except Exception:
        await _give_up(lease, holding)
        raise
    # not after a cancellation, which stands for a process that is killed
    await _give_up(lease, holding)


async def _hold(lease: Lease, candidate: Candidate, end: Callable[[int], Any]) -> None:
    try:
        await candidate.swept.wait()  # whoever could work at once is to come first
        await lease.acquire()
        candidate.take_over()
        await lease.keep()  # in this task, which was there before kopf: at its end kopf waits 5 s for others
    except Exception as error:  # noqa: BLE001 whatever it is: who cannot renew must be gone before another leads
        ours = None if isinstance(error, LostError) else error
        _log.critical("leads no more and ends: %s", error, exc_info=ours)
        end(1)


async def _give_up(lease: Lease, holding: asyncio.Task[None]) -> None:
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    await lease.release()


def claim(found: Document | None, election: Election, now: datetime) -> Document:
    """The lease with us as its holder."""
    spec = _spec(found)
    ours = spec.get("holderIdentity") == election.holder
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": found["metadata"] if found else {"namespace": election.namespace, "name": election.name},
        "spec": {
            **spec,
            "holderIdentity": election.holder,
            "leaseDurationSeconds": math.ceil(election.pace.duration),
            "acquireTime": (spec.get("acquireTime") if ours else None) or micro_time(now),
            "renewTime": micro_time(now),
            "leaseTransitions": (spec.get("leaseTransitions") or 0) + (not ours) if found else 0,
        },
    }


def given_up(found: Document, now: datetime) -> Document:
    return {**found, "spec": {**_spec(found), "holderIdentity": "", "renewTime": micro_time(now)}}


def micro_time(moment: datetime) -> str:
    """Kubernetes' MicroTime: UTC with six digits."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _spec(found: Document | None) -> Document:
    return (found or {}).get("spec") or {}


def _holder(found: Document | None) -> str:
    return _spec(found).get("holderIdentity") or ""
