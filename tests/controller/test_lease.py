"""When the lease may be taken, is held, and is lost: by our own clock, which these tests turn by hand."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from imagebuild.controller.cluster import ApiError, Document, UnansweredError
from imagebuild.controller.lease import Election, Lease, LeasePace, LostError

OURS = Election(namespace="home", name="operator", holder="us")


@dataclass
class Shelf:
    """An API server with one lease, and a clock."""

    now: float = 1000.0
    slow: float = 0.0
    """Seconds that a write takes."""
    document: Document | None = None
    error: Exception | None = None
    writes: list[Document] = field(default_factory=list)
    silent: asyncio.Event | None = None
    """No write is answered before that."""

    def clock(self) -> float:
        return self.now

    def put(self, **spec: Any) -> None:
        """As somebody else."""
        version = int(self.document["metadata"]["resourceVersion"]) if self.document else 0
        meta = {"namespace": "home", "name": "operator", "resourceVersion": str(version + 1)}
        self.document = {"metadata": meta, "spec": spec}

    async def lease(self, namespace: str, name: str) -> Document:
        assert (namespace, name) == ("home", "operator")
        if self.error is not None:
            raise self.error
        if self.document is None:
            raise ApiError(404, "NotFound", "no")
        return self.document

    async def create_lease(self, document: Document) -> Document:
        return await self._write(document)

    async def put_lease(self, document: Document) -> Document:
        assert self.document is not None
        return await self._write(document)

    async def _write(self, document: Document) -> Document:
        known = self.document["metadata"]["resourceVersion"] if self.document else None
        if document["metadata"].get("resourceVersion") != known:
            raise ApiError(409, "Conflict", "the object has been modified")
        self.now += self.slow
        self.put(**document["spec"])
        self.writes.append(document)
        if self.silent is not None:
            await self.silent.wait()
        assert self.document is not None
        return self.document

    @property
    def spec(self) -> Document:
        assert self.document is not None
        spec: Document = self.document["spec"]
        return spec


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def lease(shelf: Shelf, election: Election = OURS) -> Lease:
    return Lease(shelf, election, shelf.clock)


async def test_a_lease_that_is_not_there_is_made(shelf: Shelf) -> None:
    ours = lease(shelf)
    assert not ours.held()
    assert await ours.round()
    assert ours.held()
    assert (shelf.spec["holderIdentity"], shelf.spec["leaseDurationSeconds"], shelf.spec["leaseTransitions"]) == (
        "us",
        15,
        0,
    )
    for moment in (shelf.spec["acquireTime"], shelf.spec["renewTime"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", moment)


async def test_a_lease_that_was_released_is_taken_at_once(shelf: Shelf) -> None:
    shelf.put(holderIdentity="", leaseTransitions=4)
    assert await lease(shelf).round()
    assert shelf.spec["leaseTransitions"] == 5


@pytest.mark.parametrize("renewed", ["1970-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z", None])
async def test_a_lease_runs_out_when_we_have_seen_no_change_for_so_long_whatever_its_times_say(
    shelf: Shelf, renewed: str | None
) -> None:
    shelf.put(holderIdentity="them", leaseDurationSeconds=15, renewTime=renewed, leaseTransitions=2)
    ours = lease(shelf)
    assert not await ours.round()
    shelf.now += 14.9
    assert not await ours.round()
    shelf.now += 0.1
    assert await ours.round()
    assert (shelf.spec["holderIdentity"], shelf.spec["leaseTransitions"]) == ("us", 3)


async def test_each_change_begins_the_wait_anew(shelf: Shelf) -> None:
    shelf.put(holderIdentity="them", leaseDurationSeconds=15)
    ours = lease(shelf)
    await ours.round()
    shelf.now += 10
    shelf.put(holderIdentity="them", leaseDurationSeconds=15)
    await ours.round()
    shelf.now += 10
    assert not await ours.round()
    shelf.now += 5
    assert await ours.round()


async def test_the_holders_own_promise_counts(shelf: Shelf) -> None:
    shelf.put(holderIdentity="them", leaseDurationSeconds=60)
    ours = lease(shelf)
    await ours.round()
    shelf.now += 59
    assert not await ours.round()
    shelf.now += 1
    assert await ours.round()


async def test_a_conflict_is_no_lease_and_the_next_round_decides(shelf: Shelf) -> None:
    class Raced(Shelf):
        async def lease(self, namespace: str, name: str) -> Document:
            found = await super().lease(namespace, name)
            if self.spec["holderIdentity"] == "":
                self.put(holderIdentity="them")
            return found

    raced = Raced()
    raced.put(holderIdentity="")
    ours = lease(raced)
    assert not await ours.round()
    assert not ours.held()
    assert raced.spec["holderIdentity"] == "them"


async def test_it_is_held_until_the_deadline_counted_from_before_the_request(shelf: Shelf) -> None:
    ours = lease(shelf)
    shelf.slow = 3
    await ours.round()
    shelf.now += 6.9
    assert ours.held()
    shelf.now += 0.1
    assert not ours.held()


async def test_a_renewal_keeps_when_it_was_taken_and_counts_no_transition(shelf: Shelf) -> None:
    ours = lease(shelf)
    await ours.round()
    first = shelf.spec
    shelf.now += 9
    assert await ours.round()
    shelf.now += 9
    assert ours.held()
    assert (shelf.spec["acquireTime"], shelf.spec["leaseTransitions"]) == (first["acquireTime"], 0)


@pytest.mark.parametrize("error", [ApiError(403, "Forbidden", "no"), UnansweredError("no"), TimeoutError()])
async def test_a_server_that_refuses_or_is_silent_gives_no_lease(shelf: Shelf, error: Exception) -> None:
    shelf.error = error
    assert not await lease(shelf).round()


async def test_who_finds_another_in_its_place_has_lost(shelf: Shelf) -> None:
    ours = lease(shelf)
    await ours.round()
    shelf.put(holderIdentity="them")
    with pytest.raises(LostError, match="them"):
        await ours.round()


async def test_a_release_leaves_no_holder_and_nothing_may_be_written_after_it(shelf: Shelf) -> None:
    ours = lease(shelf)
    await ours.round()
    await ours.release()
    assert not ours.held()
    assert (shelf.spec["holderIdentity"], shelf.spec["leaseTransitions"]) == ("", 0)


async def test_nobody_releases_the_lease_of_another(shelf: Shelf) -> None:
    ours = lease(shelf)
    await ours.round()
    shelf.put(holderIdentity="them")
    before = list(shelf.writes)
    await ours.release()
    assert shelf.writes == before
    assert shelf.spec["holderIdentity"] == "them"


async def test_a_lease_without_content_is_free(shelf: Shelf) -> None:
    shelf.put()
    assert await lease(shelf).round()


async def test_a_claim_that_was_not_answered_is_released_too(shelf: Shelf) -> None:
    """It was carried out, and the next leader would wait until it has run out."""
    ours, shelf.silent = lease(shelf), asyncio.Event()
    asking = asyncio.create_task(ours.round())
    while not shelf.writes:  # noqa: ASYNC110
        await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    shelf.silent.set()
    assert shelf.spec["holderIdentity"] == "us"
    await ours.release()
    assert shelf.spec["holderIdentity"] == ""


async def test_before_its_first_round_it_is_not_stuck(shelf: Shelf) -> None:
    """The CRD is waited for, and the cluster read, however long that takes."""
    ours = lease(shelf)
    shelf.now += 3600
    assert not ours.stuck()


async def test_it_is_stuck_when_no_round_begins(shelf: Shelf) -> None:
    ours = lease(shelf)
    await ours.round()
    shelf.now += 12
    assert not ours.stuck()
    shelf.now += 2
    assert ours.stuck()


async def test_it_is_followed_while_it_was_read_within_two_rounds(shelf: Shelf) -> None:
    shelf.put(holderIdentity="them")
    ours = lease(shelf)
    assert not ours.followed()
    await ours.round()
    shelf.now += 4
    assert ours.followed()
    shelf.now += 0.1
    assert not ours.followed()


async def test_a_renewal_that_hangs_is_given_up_at_the_deadline(shelf: Shelf) -> None:
    """With the clock past the deadline nothing is waited for."""
    ours = lease(shelf)
    await ours.round()
    shelf.now += 10
    with pytest.raises(LostError, match="not renewed for 10 s"):
        await asyncio.wait_for(ours.keep(), 5)
    assert len(shelf.writes) == 1


async def test_who_wakes_up_after_the_deadline_does_not_renew(shelf: Shelf) -> None:
    """A process that was stopped, or a machine that slept."""
    ours = lease(shelf, replace(OURS, pace=LeasePace(retry=0)))
    await ours.round()
    keeping = asyncio.create_task(ours.keep())
    await asyncio.sleep(0)
    shelf.now += 11
    with pytest.raises(LostError):
        await asyncio.wait_for(keeping, 5)
    assert len(shelf.writes) == 1


class Silent(Shelf):
    """It takes the first write, and answers nothing more."""

    async def lease(self, namespace: str, name: str) -> Document:
        if self.writes:
            await asyncio.Event().wait()
        return await super().lease(namespace, name)


async def test_a_server_that_is_silent_is_not_waited_for_beyond_the_deadline() -> None:
    silent = Silent()
    ours = Lease(silent, replace(OURS, pace=LeasePace(deadline=0.05, retry=0, call=60)))
    assert await ours.round()
    with pytest.raises(LostError):
        await asyncio.wait_for(ours.keep(), 5)


async def test_a_server_that_is_silent_is_not_waited_for_beyond_the_time_of_a_call() -> None:
    silent = Silent(writes=[{}])
    ours = Lease(silent, replace(OURS, pace=LeasePace(call=0.01)))
    assert not await asyncio.wait_for(ours.round(), 5)
