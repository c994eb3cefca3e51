"""No more builds at once than the limits say, and a fair turn for each namespace."""

from __future__ import annotations

import asyncio
import math
from collections import Counter

from controller.objects import PODS, Change, Key
from controller.stage import Stage
from imagebuild.api.imagebuild import parse
from imagebuild.core.pod import pod_name

LIMITS = {"running": 24, "runningPerNamespace": 16}
BUILDS_OF = {"team-a": 200, "team-b": 50, "team-c": 50}


class Counted:
    """How many pods live, seen at each change."""

    def __init__(self, stage: Stage) -> None:
        self.live: set[Key] = set()
        self.most: Counter[str] = Counter()
        self.started: Counter[str] = Counter()
        self.started_when_last: dict[str, Counter[str]] = {}
        """When a namespace got its last pod, how many each had got."""
        self._api = stage.api
        stage.objects.listeners.append(self._changed)

    async def reach(self, number: int) -> None:
        await self._api.until(f"{number} live pods", lambda: len(self.live) >= number)

    def _changed(self, change: Change) -> None:
        if change.plural != PODS or change.new is None:
            return
        key = (change.new["metadata"]["namespace"], change.new["metadata"]["name"])
        if change.old is None:
            self.live.add(key)
            self.started[key[0]] += 1
            self.started_when_last[key[0]] = self.started.copy()
        if change.new["status"]["phase"] not in ("Pending", "Running"):
            self.live.discard(key)
        live = Counter(namespace for namespace, _ in self.live)
        for namespace, number in [*live.items(), ("all", live.total())]:
            self.most[namespace] = max(self.most[namespace], number)


async def test_three_hundred_builds_at_once_stay_below_the_limits_and_take_turns(stage: Stage) -> None:
    stage.configure(limits=LIMITS)
    await stage.operator()
    counted = Counted(stage)
    wanted = [(namespace, f"build-{number}") for namespace, builds in BUILDS_OF.items() for number in range(builds)]
    for namespace, name in wanted:
        stage.apply(name, namespace=namespace)
    left = Counter(BUILDS_OF)
    while left.total():
        per_namespace = sum(min(number, LIMITS["runningPerNamespace"]) for number in left.values())
        await counted.reach(min(per_namespace, LIMITS["running"]))
        for namespace, name in list(counted.live):
            left[namespace] -= 1
            stage.kubelet.end(name, namespace=namespace)
    for namespace, name in wanted:
        status = await stage.reaches(name, namespace, phase="Succeeded")
        assert (status["attempt"], status["failures"]) == (1, 0)
    assert len(stage.objects.kept[PODS]) == 300
    assert counted.most["all"] == LIMITS["running"]
    assert all(counted.most[namespace] <= LIMITS["runningPerNamespace"] for namespace in BUILDS_OF)
    # the small ones came last and are through long before the big one, which is half way at most
    for small in ("team-b", "team-c"):
        assert counted.started_when_last[small]["team-a"] <= BUILDS_OF["team-a"] / 2


async def test_a_restarted_operator_counts_the_pods_that_run(stage: Stage) -> None:
    stage.configure(limits={"running": 1})
    operator = await stage.operator()
    stage.apply("first")
    first = await stage.running(name="first")
    await operator.kill()
    stage.apply()
    await stage.operator()
    queued = await stage.reaches(reason="Queued")
    assert (queued["phase"], stage.pods()) == ("Pending", [])
    stage.kubelet.end(first)
    await stage.succeeds()


async def test_a_limit_that_is_raised_in_the_file_lets_waiting_builds_start(stage: Stage) -> None:
    stage.configure(limits={"running": 1})
    await stage.operator()
    stage.apply("first")
    await stage.running(name="first")
    stage.apply()
    await stage.reaches(reason="Queued")
    stage.configure(limits={"running": 2})
    await stage.succeeds()


async def test_a_build_that_is_refused_a_pod_gives_its_slot_to_the_next(stage: Stage) -> None:
    stage.configure(limits={"running": 1})
    stage.api.fail("create", PODS, 403, message="exceeded quota: none left", times=3)
    await stage.operator()
    stage.apply("first")
    stage.apply("second")
    node = asyncio.create_task(stage.kubelet.run_all(0.01))
    for name in ("first", "second"):
        status = await stage.reaches(name, phase="Succeeded")
        assert (status["attempt"], status["failures"]) == (1, 0)
    node.cancel()


async def test_a_build_that_cannot_get_its_pod_made_blocks_nobody(stage: Stage) -> None:
    """A webhook is down that only its namespace has."""
    stage.configure(limits={"running": 1})
    first = parse(stage.apply("first"))
    stage.api.fail("create", PODS, 500, name=pod_name(first, run=1, attempt=1), times=math.inf)
    await stage.operator()
    for name in ("second", "third"):
        stage.apply(name)
        await stage.succeeds(name=name)
    assert stage.pods("first") == []


async def test_a_build_that_fails_while_it_waits_takes_no_slot(stage: Stage) -> None:
    stage.configure(limits={"running": 1})
    await stage.operator()
    stage.apply("first")
    first = await stage.running(name="first")
    stage.apply("second")
    await stage.reaches("second", reason="Queued")
    stage.apply("second", {"output": {"images": 1}})
    await stage.reaches("second", phase="Failed")
    stage.kubelet.end(first)
    stage.apply()
    await stage.succeeds()


async def test_a_pod_of_which_nothing_is_known_keeps_its_slot(stage: Stage) -> None:
    """The answer to its POST is lost and its event is late: it may be there, and it is."""
    stage.configure(limits={"running": 1})
    await stage.operator()
    stage.objects.withhold(PODS)
    stage.api.fail("create", PODS, lost=True)
    stage.apply("first")
    stage.apply("second")
    await stage.reaches("first", reason="Starting")
    await stage.reaches("second", reason="Queued")
    assert stage.pods("second") == []
    stage.objects.release(PODS)
    await stage.succeeds(name="first")
    await stage.succeeds(name="second")


async def test_whoever_comes_to_a_full_queue_is_turned_away_however_many_come_at_once(stage: Stage) -> None:
    stage.configure(limits={"running": 1, "queued": 10, "queuedPerNamespace": 10})
    for number in range(60):
        stage.apply(f"build-{number}")
    await stage.operator()
    told: Counter[str] = Counter()

    def all_told() -> bool:
        told.clear()
        told.update(stage.status(f"build-{number}").get("reason", "") for number in range(60))
        return told["QueueFull"] == 49

    await stage.api.until("all but eleven to be turned away", all_told)
    assert told["Queued"] == 10
