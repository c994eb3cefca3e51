"""More than one operator: one works, the others stand by, and each pod is made once whatever happens to the leader."""

from __future__ import annotations

import asyncio
import math
import re

import pytest
from kubernetes.aio import client

from controller.objects import BUILDS, LEASES, PODS
from controller.operators import HOME, LEASE
from controller.stage import HASTY, QUICK, UNHURRIED, Stage
from imagebuild.controller.cluster import Cluster, NotLeadingError

KEY = (HOME, LEASE)
WRITES = re.compile('verb="(create|update|patch|delete)"')


async def test_a_standby_takes_over_when_the_leader_is_killed(stage: Stage) -> None:
    first = await stage.operator(election=HASTY)
    second = await stage.standby(UNHURRIED)
    stage.apply()
    name = await stage.running()
    await first.kill()
    assert stage.leader() == first.name
    await stage.led_by(second)
    stage.kubelet.end(name)
    status = await stage.reaches(phase="Succeeded")
    assert (status["attempt"], len(stage.pods())) == (1, 1)
    assert stage.objects.get(LEASES, KEY)["spec"]["leaseTransitions"] == 1


async def test_a_leader_that_is_stopped_releases_the_lease_after_its_last_write(stage: Stage) -> None:
    first = await stage.operator(election=UNHURRIED)
    stage.apply()
    await stage.running()
    first.stop()
    async with asyncio.timeout(4):  # kopf waits 5 s for tasks that nobody ends
        assert await first.ended() == 0
    assert stage.leader() == ""
    last = stage.api.requests[-1]
    assert (last.verb, last.resource) == ("update", LEASES)


async def test_a_standby_leads_as_soon_as_the_lease_is_released(stage: Stage) -> None:
    """Long before it would have run out."""
    first = await stage.operator(election=UNHURRIED)
    second = await stage.standby(UNHURRIED)
    first.stop()
    await first.ended()
    await asyncio.wait_for(stage.led_by(second), UNHURRIED.duration / 2)
    stage.apply()
    await stage.succeeds()


async def test_a_standby_reads_and_watches_and_writes_nothing_until_it_is_told_to_end(stage: Stage) -> None:
    first = await stage.operator(election=UNHURRIED)
    stage.apply("before")
    await stage.succeeds(name="before")
    second = await stage.standby(UNHURRIED)
    stage.apply("after")
    await stage.succeeds(name="after")
    said = (await second.get("metrics"))[1]
    assert {
        line for line in said.splitlines() if line.startswith("imagebuild_builds{") and not line.endswith(" 0.0")
    } == set()
    assert "imagebuild_leader 0.0" in said
    assert "imagebuild_workqueue_depth 0.0" in said
    assert [
        line for line in said.splitlines() if line.startswith("imagebuild_api_requests_total") and WRITES.search(line)
    ] == []
    second.stop()
    assert await second.ended() == 0
    assert stage.leader() == first.name
    await stage.settled()


async def test_a_standby_whose_watches_are_silent_does_not_do_again_what_the_leader_has_done(stage: Stage) -> None:
    stage.configure(hold=True)
    first = await stage.operator(election=UNHURRIED)
    before = stage.api.watches
    second = await stage.standby(UNHURRIED)
    await stage.api.until("all watches", lambda: len(stage.api.watches) == 4)
    stage.apply()
    await stage.reaches(reason="Held")
    stage.api.silence(silent := stage.api.watches - before)
    stage.configure()
    await stage.succeeds()
    stage.objects.remove(PODS, ("team-a", stage.pods()[0]["metadata"]["name"]))
    first.stop()
    await first.ended()
    await stage.led_by(second)
    for watch in silent:
        watch.put(None)
    await stage.settled()
    assert stage.pods() == []


async def test_who_takes_over_does_nothing_before_it_has_read_the_cluster_anew(stage: Stage) -> None:
    first = await stage.operator(election=UNHURRIED)
    second = await stage.standby(UNHURRIED)
    reading = stage.api.fail("list", PODS, gate=asyncio.Event())
    first.stop()
    await first.ended()
    stage.apply()
    await stage.api.until("its list", lambda: reading.met)
    assert await second.get("readyz") == (503, "leads, and has not compared its view of the cluster yet\n")
    assert stage.pods() == []
    reading.gate.set()
    await stage.succeeds()


async def test_a_standby_that_is_told_to_end_leads_no_more(stage: Stage) -> None:
    """Though the lease comes free in that moment."""
    first = await stage.operator(election=UNHURRIED)
    second = await stage.standby(UNHURRIED)
    first.stop()
    second.stop()
    assert (await first.ended(), await second.ended()) == (0, 0)
    assert stage.leader() == ""
    assert second.error is None


async def test_of_operators_that_start_at_once_one_leads(stage: Stage) -> None:
    operators = [stage.starting(QUICK, UNHURRIED) for _ in range(3)]
    await stage.watching()
    for operator in operators:
        await operator.says("readyz", "200 ok")
    said = [(await operator.get("metrics"))[1] for operator in operators]
    assert sorted("imagebuild_leader 1.0" in text for text in said) == [False, False, True]
    for number in range(10):
        stage.apply(f"build-{number}")
    for number in range(10):
        await stage.succeeds(name=f"build-{number}")
    assert stage.api.count("create", PODS) == 10


async def test_two_operators_that_both_lead_make_each_pod_once(stage: Stage) -> None:
    """No election at all is the longest of all double leaderships."""
    for _ in range(2):
        await stage.operator()
    for number in range(20):
        stage.apply(f"build-{number}")
    for number in range(20):
        status = await stage.succeeds(name=f"build-{number}")
        assert (status["attempt"], status["failures"]) == (1, 0)
    await stage.settled()
    assert len(stage.objects.kept[PODS]) == 20 + 1


@pytest.mark.parametrize("verb", ["get", "update"])
async def test_a_leader_that_cannot_renew_ends_and_another_goes_on(stage: Stage, verb: str) -> None:
    first = await stage.operator(election=HASTY)
    stage.apply()
    name = await stage.running()
    silent = stage.api.fail(verb, LEASES, gate=asyncio.Event(), times=math.inf)
    assert await first.ended() == 1
    stage.api.faults.clear()
    silent.gate.set()
    written = stage.api.count("update", f"{BUILDS}/status")
    stage.kubelet.end(name)
    second = stage.starting(QUICK, UNHURRIED)
    await stage.led_by(second)
    await stage.reaches(phase="Succeeded")
    assert (len(stage.pods()), stage.api.count("update", f"{BUILDS}/status")) == (1, written + 1)


async def test_who_does_not_hold_the_lease_sends_nothing_that_changes_anything(stage: Stage) -> None:
    leads = True
    cluster = Cluster(client.Configuration(host=stage.api.url))
    guarded = cluster.guarded(lambda: leads)
    manifest = {"metadata": {"namespace": "team-a", "name": "p"}, "spec": {}}
    identity = {"namespace": "team-a", "name": "shop", "uid": "u", "resourceVersion": "1"}
    try:
        await guarded.create_pod(manifest)
        leads = False
        before = list(stage.api.requests)
        for write in (
            guarded.create_pod(manifest),
            guarded.patch_pod("team-a", "p", "u", {}),
            guarded.delete_pod("team-a", "p", "u"),
            guarded.put_status(identity, {}),
            guarded.delete_build("team-a", "shop", "u", "1"),
            guarded.create_event({"metadata": {"namespace": "team-a", "name": "e"}}),
        ):
            with pytest.raises(NotLeadingError):
                await write
        assert stage.api.requests == before
        await guarded.pod("team-a", "p")
    finally:
        await cluster.close()


async def test_a_lease_that_another_has_taken_ends_the_leader(stage: Stage) -> None:
    first = await stage.operator(election=UNHURRIED)
    lease = stage.objects.get(LEASES, KEY)
    stage.objects.replace(LEASES, KEY, {**lease, "spec": {**lease["spec"], "holderIdentity": "somebody"}})
    assert await first.ended() == 1
    assert stage.leader() == "somebody"


@pytest.mark.parametrize(
    ("code", "reason"), [(409, "Conflict"), (429, "TooManyRequests"), (500, "InternalError"), (503, "")]
)
async def test_a_renewal_that_is_refused_for_a_while_is_tried_again(stage: Stage, code: int, reason: str) -> None:
    first = await stage.operator(election=UNHURRIED)
    refused = stage.api.fail("update", LEASES, code, reason=reason, times=3)
    await stage.api.until("three refusals", lambda: refused.met == 3)
    stage.apply()
    await stage.succeeds()
    assert stage.leader() == first.name
    assert stage.objects.get(LEASES, KEY)["spec"]["leaseTransitions"] == 0


async def test_a_lease_that_somebody_deletes_is_made_again(stage: Stage) -> None:
    first = await stage.operator(election=UNHURRIED)
    stage.objects.remove(LEASES, KEY)
    await stage.led_by(first)
    stage.apply()
    await stage.succeeds()


async def test_a_permission_on_leases_that_comes_late_is_waited_for(stage: Stage) -> None:
    refused = stage.api.fail("create", LEASES, 403, reason="Forbidden", message="no", times=math.inf)
    operator = stage.starting(QUICK, UNHURRIED)
    await stage.api.until("two refusals", lambda: refused.met >= 2)
    stage.api.faults.clear()
    await stage.led_by(operator)
