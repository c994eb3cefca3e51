"""What the probes say, as a table, and in a running operator."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

import aiohttp
import pytest

from controller.objects import BUILDS, LEASES
from controller.stage import QUICK, UNHURRIED, Stage
from imagebuild.controller.health import not_alive, not_ready


class App:
    def __init__(
        self,
        *,
        broken: str | None = None,
        swept: bool = True,
        works: bool = True,
        ending: bool = False,
        watches: bool = True,
    ) -> None:
        self.broken, self.works, self.ending, self._watches = broken, works, ending, watches
        self.swept = asyncio.Event()
        if swept:
            self.swept.set()

    def watching(self) -> bool:
        return self._watches


@dataclass
class Lease:
    leads: bool
    is_stuck: bool = False
    read: bool = True

    def held(self) -> bool:
        return self.leads

    def stuck(self) -> bool:
        return self.is_stuck

    def followed(self) -> bool:
        return self.read


@pytest.mark.parametrize(
    ("app", "lease", "alive", "ready"),
    [
        pytest.param(App(), None, "", "", id="works without an election"),
        pytest.param(App(), Lease(leads=True), "", "", id="leads"),
        pytest.param(App(swept=False), None, "", "has not read the cluster yet", id="starts"),
        pytest.param(App(swept=False), Lease(leads=False), "", "has not read the cluster yet", id="is to stand by"),
        pytest.param(App(watches=False), None, "", "does not watch the cluster yet", id="no watches"),
        pytest.param(
            App(watches=False), Lease(leads=False), "", "does not watch the cluster yet", id="stands by without watches"
        ),
        pytest.param(App(works=False), Lease(leads=False), "", "", id="stands by"),
        pytest.param(
            App(works=False),
            Lease(leads=False, read=False),
            "",
            "stands by, and could not read the lease just now",
            id="stands by in vain",
        ),
        pytest.param(
            App(works=False),
            Lease(leads=True),
            "",
            "leads, and has not compared its view of the cluster yet",
            id="takes over",
        ),
        pytest.param(App(ending=True), Lease(leads=True), "", "ends", id="was told to stop"),
        pytest.param(App(broken="the task x ended"), Lease(leads=True), "the task x ended", "", id="a task has ended"),
        pytest.param(App(), Lease(leads=True, is_stuck=True), "the lease task is stuck", "", id="the lease is stuck"),
    ],
)
def test_probes_say_what_is_wrong(app: App, lease: Lease | None, alive: str, ready: str) -> None:
    assert (not_alive(app, lease), not_ready(app, lease)) == (alive, ready)


async def test_an_operator_that_watches_is_alive_and_ready(stage: Stage) -> None:
    operator = await stage.operator()
    assert await operator.get("livez") == (200, "ok\n")
    await operator.says("readyz", "200 ok")


async def test_no_connection_is_kept_that_the_end_would_wait_for(stage: Stage) -> None:
    operator = await stage.operator()
    async with aiohttp.ClientSession() as session:
        for path in ("livez", "readyz", "metrics"):
            async with session.get(f"http://{operator.listen}/{path}") as answer:
                assert answer.headers["Connection"] == "close"


async def test_a_replica_is_ready_when_it_has_read_the_cluster_and_does_not_lead_before(stage: Stage) -> None:
    reading = stage.api.fail("list", BUILDS, gate=asyncio.Event())
    operator = stage.starting(QUICK, UNHURRIED)
    await stage.api.until("the first list", lambda: reading.met)
    assert await operator.get("readyz") == (503, "has not read the cluster yet\n")
    assert await operator.get("livez") == (200, "ok\n")
    assert stage.leader() == ""
    reading.gate.set()
    await operator.says("readyz", "200 ok")
    await stage.led_by(operator)


async def test_a_replica_that_cannot_read_the_lease_is_not_ready_until_it_can(stage: Stage) -> None:
    await stage.operator(election=UNHURRIED)
    second = await stage.standby(UNHURRIED)
    stage.api.fail("get", LEASES, 403, reason="Forbidden", message="no", times=math.inf)
    assert "503 stands by, and could not read the lease" in await second.says("readyz", "503")
    assert await second.get("livez") == (200, "ok\n")
    stage.api.faults.clear()
    await second.says("readyz", "200 ok")
