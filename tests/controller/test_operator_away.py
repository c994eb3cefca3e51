"""All state is in the cluster: an operator that was away, or was killed at the worst moment, goes on where it was."""

from __future__ import annotations

import asyncio

import make
from controller.objects import BUILDS, PODS
from controller.stage import Stage
from imagebuild.api.crd import UNSEEN
from imagebuild.contract.reasons import Reason

STATUS = f"{BUILDS}/status"


async def test_killed_before_the_status_is_written_it_adopts_the_pod(stage: Stage) -> None:
    operator = await stage.operator()
    held = stage.api.fail("update", STATUS, gate=asyncio.Event())
    stage.apply()
    await stage.api.until("the first status write", lambda: held.met)
    await operator.kill()
    assert stage.status() == UNSEEN
    await stage.operator()
    status = await stage.succeeds()
    assert (len(stage.pods()), status["attempt"], stage.api.count("create", PODS)) == (1, 1, 1)


async def test_killed_before_the_post_is_answered_it_adopts_the_pod(stage: Stage) -> None:
    operator = await stage.operator()
    stage.api.fail("create", PODS, gate=asyncio.Event(), late=True)
    stage.apply()
    await stage.pod()
    await operator.kill()
    await stage.operator()
    status = await stage.succeeds()
    assert (len(stage.pods()), status["attempt"]) == (1, 1)


async def test_a_pod_that_ends_meanwhile_is_reported_later(stage: Stage) -> None:
    operator = await stage.operator()
    stage.apply()
    name = await stage.running()
    await operator.kill()
    stage.kubelet.end(name)
    await stage.operator()
    status = await stage.reaches(phase="Succeeded")
    assert (len(stage.pods()), status["output"]["digest"]) == (1, make.DIGEST)


async def test_a_pod_deleted_meanwhile_is_lost_and_the_next_attempt_builds(stage: Stage) -> None:
    operator = await stage.operator()
    stage.apply()
    name = await stage.running()
    await operator.kill()
    stage.kubelet.vanish(name)
    await stage.operator()
    lost = await stage.reaches(reason="Retrying")
    assert lost["message"] == f"PodLost: the build pod {name} is gone"
    status = await stage.succeeds()
    assert (status["run"]["number"], status["attempt"], status["failures"]) == (1, 2, 1)
    assert status["podName"] != name


async def test_a_time_to_try_again_that_passed_meanwhile_is_kept(stage: Stage) -> None:
    operator = await stage.operator()
    stage.apply()
    stage.kubelet.end(await stage.running(), make.broken(Reason.DAEMON_NOT_STARTED))
    await stage.pod(2)
    await operator.kill()
    await stage.operator()
    status = await stage.succeeds(2)
    assert (len(stage.pods()), status["attempt"]) == (2, 2)


async def test_an_imagebuild_made_again_meanwhile_waits_for_the_pod_of_the_old_one(stage: Stage) -> None:
    operator = await stage.operator()
    stage.apply()
    old = await stage.running()
    await operator.kill()
    stage.delete()
    stage.apply()
    await stage.operator()
    status = await stage.reaches(reason="Queued")
    assert status["message"] == f"waits for the pod {old} to end"
    stage.kubelet.end(old, make.broken(Reason.STOPPED))
    await stage.succeeds()
    assert len(stage.pods()) == 1


async def test_killed_again_and_again_it_loses_no_build_and_doubles_none(stage: Stage) -> None:
    node = asyncio.create_task(stage.kubelet.run_all(0.01))
    names = [f"build-{number}" for number in range(40)]
    operator = await stage.operator()
    for name in names:
        stage.apply(name)
    for number in range(1, 7):
        await stage.more_requests(17 * number)
        await operator.kill()
        operator = await stage.operator()
    for name in names:
        status = await stage.reaches(name, phase="Succeeded")
        assert (status["attempt"], status["failures"]) == (1, 0)
    assert len(stage.objects.kept[PODS]) == 40
    node.cancel()
