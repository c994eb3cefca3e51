"""What is tried again, how often, and what is not."""

from __future__ import annotations

import asyncio

import make
from controller.objects import BUILDS, PODS
from controller.stage import Stage
from imagebuild.contract.reasons import Reason


async def test_a_missing_secret_is_waited_for_and_counts_as_no_failure(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    stage.kubelet.end(await stage.running(), make.broken(Reason.SECRET_MISSING, "there is no Secret registry-push"))
    waiting = await stage.reaches(reason="SecretMissing")
    assert waiting["message"] == "there is no Secret registry-push"
    assert "nextRetryAt" in waiting
    await stage.reaches(attempt=2)
    status = await stage.succeeds()
    assert (status["attempt"], status["failures"], status["waits"]) == (2, 0, 1)
    assert len(stage.pods()) == 1, "a pod that only found something missing goes when the next one comes"


async def test_a_fault_of_the_infrastructure_is_retried_as_often_as_the_limit_says(stage: Stage) -> None:
    stage.configure(retryLimit=2)
    await stage.operator()
    stage.apply()
    for attempt in (1, 2, 3):
        stage.kubelet.end(await stage.running(attempt), make.broken(Reason.DAEMON_NOT_STARTED, "no sub-ids"))
    status = await stage.reaches(phase="Failed")
    assert (status["reason"], status["attempt"], status["failures"]) == ("DaemonNotStarted", 3, 2)
    assert status["failure"]["message"] == "no sub-ids"
    await stage.settled()
    assert len(stage.pods()) == 3
    assert len({pod["metadata"]["name"] for pod in stage.pods()}) == 3


async def test_an_evicted_pod_is_replaced_by_another(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    stage.kubelet.end(await stage.running(), make.killed("Evicted", "The node was low on resource: ephemeral-storage."))
    status = await stage.succeeds(2)
    assert (status["attempt"], status["failures"]) == (2, 1)


async def test_a_failed_step_is_final(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    stage.kubelet.end(await stage.running(), make.broken(Reason.STEP_FAILED, "RUN make: exit code 2"))
    status = await stage.reaches(phase="Failed")
    assert (status["reason"], status["message"], status["attempt"]) == ("StepFailed", "RUN make: exit code 2", 1)
    await stage.settled()
    assert len(stage.pods()) == 1


async def test_a_pod_that_vanishes_is_lost_and_the_next_attempt_builds(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    stage.kubelet.vanish(await stage.running())
    assert (await stage.reaches(reason="Retrying"))["message"].startswith("PodLost: ")
    status = await stage.succeeds()
    assert (status["attempt"], status["failures"]) == (2, 1)


async def test_a_pod_deleted_as_soon_as_it_has_pushed_has_built(stage: Stage) -> None:
    """The worker is busy with the pod's start until the pod is gone: its last words are all that is left of it."""
    await stage.operator()
    stage.apply()
    name = (await stage.pod())["metadata"]["name"]
    await stage.reaches(podName=name)
    held = stage.api.fail("update", f"{BUILDS}/status", gate=asyncio.Event())
    stage.kubelet.start(name)
    await stage.api.until("the status write to be held", lambda: held.met)
    stage.kubelet.end(name)
    stage.kubelet.vanish(name)
    await stage.settled()
    held.gate.set()
    status = await stage.reaches(phase="Succeeded")
    assert (status["output"]["digest"], status["attempt"], stage.pods()) == (make.DIGEST, 1, [])


async def test_a_pod_whose_labels_were_taken_away_is_lost(stage: Stage) -> None:
    """It is there and yet the operator does not see it any more."""
    await stage.operator()
    stage.apply()
    name = await stage.running()
    pod = stage.objects.get(PODS, ("team-a", name))
    stage.objects.replace(PODS, ("team-a", name), {**pod, "metadata": {**pod["metadata"], "labels": {}}})
    status = await stage.succeeds()
    assert (status["attempt"], status["failures"]) == (2, 1)
    assert stage.api.count("get", PODS, name) == 1
