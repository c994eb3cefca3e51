"""An ImageBuild that is deleted leaves nothing that goes on by itself."""

from __future__ import annotations

import make
from controller.objects import BUILDS, PODS
from controller.stage import Stage
from imagebuild.contract.reasons import Reason


async def test_nothing_is_made_again_for_an_imagebuild_that_is_deleted_in_flight(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    name = await stage.running()
    stage.delete()
    stage.kubelet.end(name, make.broken(Reason.STOPPED))
    await stage.settled()
    assert stage.pods() == []
    assert stage.api.count("create", PODS) == 2  # the canary's is the other


async def test_nothing_is_made_while_a_foreground_deletion_waits(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    name = await stage.running()
    stage.objects.mark_deleted(BUILDS, ("team-a", "shop"))
    stage.kubelet.vanish(name)
    await stage.settled()
    assert stage.pods() == []
    assert stage.status()["phase"] == "Running"


async def test_an_imagebuild_made_again_waits_for_the_pod_of_the_old_one(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    old = await stage.running()
    stage.delete()
    stage.apply()
    assert (await stage.reaches(reason="Queued"))["message"] == f"waits for the pod {old} to end"
    await stage.settled()
    assert [pod["metadata"]["name"] for pod in stage.pods()] == [old]
    stage.kubelet.end(old, make.broken(Reason.STOPPED))
    status = await stage.succeeds()
    assert (status["run"]["number"], status["attempt"]) == (1, 1)


async def test_a_pod_whose_imagebuild_is_gone_before_the_post_is_answered_is_collected(stage: Stage) -> None:
    await stage.operator()
    stage.objects.withhold(BUILDS)
    stage.apply()
    stage.delete()
    stage.objects.release(BUILDS)
    await stage.settled()
    assert stage.pods() == []


async def test_a_build_that_waits_for_a_slot_gives_it_up_when_it_is_deleted(stage: Stage) -> None:
    stage.configure(limits={"running": 1})
    await stage.operator()
    stage.apply("first")
    first = await stage.running(name="first")
    stage.apply("second")
    await stage.reaches("second", reason="Queued")
    stage.delete("second")
    stage.kubelet.end(first)
    await stage.settled()
    assert stage.pods("second") == []
