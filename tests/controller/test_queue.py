"""How long a failed look at an ImageBuild waits for the next one."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from controller.objects import BUILDS, PODS
from controller.stage import QUICK, Stage
from imagebuild.controller.cluster import ApiError, UnansweredError, meaning, retry_after
from imagebuild.controller.pace import Pace
from imagebuild.controller.queue import WorkQueue, pause
from imagebuild.core.admit import Key

BUSY = ApiError(429, "TooManyRequests", "too many requests", retry_after=7)
KEY = ("team-a", "shop")


@pytest.mark.parametrize(
    ("failures", "error", "seconds"),
    [
        pytest.param(1, UnansweredError("no"), 0.2, id="first"),
        pytest.param(2, UnansweredError("no"), 0.4, id="doubles"),
        pytest.param(5, ApiError(503, "", "away"), 3.2, id="and doubles"),
        pytest.param(20, ApiError(503, "", "away"), 60, id="up to a minute"),
        pytest.param(10**6, ValueError("ours"), 60, id="for ever"),
        pytest.param(1, BUSY, 7, id="what the server asks for"),
        pytest.param(9, BUSY, 51.2, id="or longer"),
        pytest.param(20, ApiError(429, "", "", retry_after=600), 600, id="also beyond our longest"),
    ],
)
def test_the_pause_doubles_and_is_never_shorter_than_the_server_wants(
    failures: int, error: Exception, seconds: float
) -> None:
    assert pause(failures, error, Pace()) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3), ("0", 0), ("", 0), ("-1", 0), ("1.5", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0)],
)
def test_retry_after_is_read_in_seconds(value: str, seconds: float) -> None:
    assert retry_after({"Retry-After": value}) == seconds
    assert retry_after({}) == 0


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", "/api/v1/pods", ("list", "pods")),
        ("GET", "/api/v1/namespaces/a/pods/namespaces", ("get", "pods")),
        ("POST", "/api/v1/namespaces/a/pods", ("create", "pods")),
        ("PATCH", "/api/v1/namespaces/a/pods/b", ("patch", "pods")),
        ("DELETE", "/apis/imagebuild.dev/v1alpha1/namespaces/a/imagebuilds/b", ("delete", "imagebuilds")),
        ("PUT", "/apis/imagebuild.dev/v1alpha1/namespaces/a/imagebuilds/b/status", ("update", "imagebuilds/status")),
    ],
)
def test_a_request_is_named_without_the_names_of_objects(method: str, path: str, said: tuple[str, str]) -> None:
    assert meaning(method, path) == said


@pytest.mark.parametrize("error", [BUSY, UnansweredError("no")], ids=["asked to wait", "failed"])
async def test_news_brings_a_key_back_early_but_not_where_the_server_asked_to_be_left_alone(error: Exception) -> None:
    queue, seen, looked = WorkQueue(Pace(error=3600, longest_error=3600)), list[Key](), asyncio.Event()
    last = ("team-a", "last")

    async def look(key: Key) -> bool:
        seen.append(key)
        if key == ("team-a", "between"):
            queue.add(KEY)
        if key == last:
            looked.set()
        if len(seen) == 1:
            queue.add(key)  # news while it is worked on
            raise error
        return True

    worker = asyncio.create_task(queue.work(look))
    queue.add(KEY)
    queue.add(("team-a", "between"))
    queue.add(last)
    await looked.wait()
    while queue.depth:  # noqa: ASYNC110 it has no event for that
        await asyncio.sleep(0)
    worker.cancel()
    assert seen.count(KEY) == (1 if error is BUSY else 2)


async def test_a_server_that_asks_to_be_left_alone_is_not_asked_again_about_this_build(stage: Stage) -> None:
    busy = stage.api.fail("create", PODS, 429, headers={"Retry-After": "3600"})
    operator = await stage.operator()
    stage.apply()
    await stage.api.until("the refusal", lambda: busy.met)
    stage.annotate(note="news")
    await stage.settled()
    assert stage.pods() == []
    await operator.kill()
    await stage.operator()
    await stage.succeeds()


async def test_after_the_time_that_the_server_asked_for_it_goes_on(stage: Stage) -> None:
    busy = stage.api.fail("create", PODS, 429, headers={"Retry-After": "1"})
    await stage.operator()
    stage.apply()
    await stage.succeeds()
    assert busy.met == 1


async def test_the_sweep_leaves_the_server_alone_as_long_as_it_asks_for(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    busy = stage.api.fail("list", BUILDS, 429, headers={"Retry-After": "3600"}, times=math.inf)
    stage.starting(QUICK, None)
    await stage.api.until("the refusal", lambda: busy.met)
    async with asyncio.timeout(10):
        while "trying again in 3600 s" not in caplog.text:  # noqa: ASYNC110 logging has no event to wait for
            await asyncio.sleep(0.01)


async def test_a_permission_that_was_revoked_and_comes_back_costs_no_attempt(stage: Stage) -> None:
    await stage.operator()
    told = 'pods is forbidden: User "operator" cannot create resource "pods" in API group "" in the namespace "team-a"'
    revoked = stage.api.fail("create", PODS, 403, reason="Forbidden", message=told, times=math.inf)
    stage.apply()
    await stage.api.until("three refusals", lambda: revoked.met >= 3)
    assert stage.status().get("phase") in (None, "Pending")
    stage.api.faults.clear()
    status = await stage.succeeds()
    assert (status["attempt"], status["failures"]) == (1, 0)
    assert stage.api.count("create", PODS) == revoked.met + 1
    assert stage.api.count("update", f"{BUILDS}/status") <= 3


async def test_back_off_grows_until_it_got_somewhere() -> None:
    queue, seen, looked = WorkQueue(Pace(error=0.001)), list[int](), asyncio.Event()

    async def look(key: Key) -> bool:
        """Fails, comes no further, fails, and then gets through."""
        seen.append(queue.failures(key))
        if len(seen) == 5:
            looked.set()
            return True
        if len(seen) in (1, 3):
            raise UnansweredError("no")
        queue.add(key)
        return len(seen) == 4

    worker = asyncio.create_task(queue.work(look))
    queue.add(KEY)
    await looked.wait()
    worker.cancel()
    assert seen == [0, 1, 1, 2, 0]


async def turns(queue: WorkQueue, first: Callable[[], None], number: int) -> str:
    """The names of the keys that one worker gets, `first` once it is busy with a key of its own."""
    seen, looked = list[str](), asyncio.Event()

    async def look(key: Key) -> bool:
        if key == KEY and not looked.is_set():
            first()
        else:
            seen.append(key[1])
        if len(seen) == number:
            looked.set()
        return True

    worker = asyncio.create_task(queue.work(look))
    queue.add(KEY)
    async with asyncio.timeout(5):
        await looked.wait()
    worker.cancel()
    return "".join(seen)


def add(queue: WorkQueue, names: str) -> None:
    """Those of lower case can wait."""
    for name in names:
        queue.add(("team-a", name.lower()), later=name.islower())


async def test_what_can_wait_has_one_turn_of_five_as_long_as_there_is_more() -> None:
    queue = WorkQueue(Pace())
    assert await turns(queue, lambda: add(queue, "xyABCDEFGHIJKLz"), 15) == "abcxdefgyhijklz"


async def test_what_can_wait_no_more_is_moved_forward_and_comes_once() -> None:
    queue = WorkQueue(Pace())
    assert await turns(queue, lambda: add(queue, "xyABYYyD"), 5) == "abyxd"
    assert queue.depth == 0


async def test_thousands_with_which_there_is_nothing_to_do_do_not_stop_the_loop() -> None:
    """After a start each ImageBuild is looked at once, and most are over: the lease is renewed meanwhile."""
    queue, turns = WorkQueue(QUICK), 0

    async def nothing(_: Key) -> bool:
        return True

    for number in range(1000):
        queue.add(("team-a", f"build-{number}"))
    worker = asyncio.create_task(queue.work(nothing))
    while queue.depth:
        turns += 1
        await asyncio.sleep(0)
    worker.cancel()
    assert turns >= 1000


async def test_of_what_is_planned_for_a_key_the_newest_plan_holds() -> None:
    queue, seen = WorkQueue(QUICK), list[Key]()

    async def look(key: Key) -> bool:
        seen.append(key)
        return True

    worker = asyncio.create_task(queue.work(look))
    soon, late = datetime.now(UTC) + timedelta(seconds=0.02), datetime.now(UTC) + timedelta(hours=1)
    queue.plan(("team-a", "over"), soon)
    queue.plan(("team-a", "over"), None)
    queue.plan(("team-a", "later"), soon)
    queue.plan(("team-a", "later"), late)
    queue.plan(("team-a", "sooner"), late)
    queue.plan(("team-a", "sooner"), soon)
    await asyncio.sleep(0.1)
    worker.cancel()
    assert seen == [("team-a", "sooner")]
