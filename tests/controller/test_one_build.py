"""What one ImageBuild costs and gives when nothing goes wrong."""

from __future__ import annotations

import make
from controller.objects import BUILDS
from controller.stage import OTHER, Stage
from imagebuild.contract.reasons import Reason

WRITE = ("update", f"{BUILDS}/status")


async def test_one_imagebuild_is_one_pod_and_at_most_three_status_writes(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    status = await stage.succeeds()
    await stage.settled()
    assert status["output"]["digest"] == make.DIGEST
    assert stage.api.count("create", "pods", (await stage.pod())["metadata"]["name"]) == 1
    assert stage.api.count(*WRITE, "shop") <= 3
    assert stage.api.refused == []


async def test_the_status_says_how_far_the_build_is(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    pod = (await stage.pod())["metadata"]
    await stage.reaches(phase="Pending", reason="Starting", podName=pod["name"], podUID=pod["uid"], attempt=1)
    stage.kubelet.report(("team-a", pod["name"]), make.unschedulable("0/3 nodes are available: insufficient memory."))
    await stage.reaches(
        phase="Pending", reason="Unschedulable", message="0/3 nodes are available: insufficient memory."
    )
    stage.kubelet.start(pod["name"])
    await stage.reaches(phase="Running", reason="Building")
    stage.kubelet.end(pod["name"])
    await stage.reaches(phase="Succeeded", reason="Built", observedGeneration=1)


async def test_nothing_is_written_when_the_operator_starts_again(stage: Stage) -> None:
    operator = await stage.operator()
    stage.apply("done")
    await stage.succeeds(name="done")
    stage.apply("running")
    await stage.running(name="running")
    stage.apply("failed")
    stage.kubelet.end(await stage.running(name="failed"), make.broken(Reason.STEP_FAILED))
    await stage.reaches("failed", phase="Failed")
    await operator.kill()
    before = dict(stage.objects.kept[BUILDS])
    stage.api.requests.clear()
    await stage.operator()
    await stage.settled()
    assert {key: stage.objects.kept[BUILDS][key] for key in before} == before
    assert [stage.api.count(*WRITE, name) for name in ("done", "running", "failed")] == [0, 0, 0]
    assert stage.api.count("create", "pods") == 1  # the canary's


async def test_the_same_spec_applied_again_is_no_run_and_no_write(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    status = await stage.succeeds()
    stage.api.requests.clear()
    stage.apply()
    stage.apply(labels={"team": "shop"})
    await stage.settled()
    assert stage.status() == status
    assert stage.api.count(*WRITE, "shop") == 0


async def test_a_neutral_field_is_no_run_and_one_write(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    before = await stage.succeeds()
    stage.api.requests.clear()
    stage.apply(spec={**make.SPEC, "timeouts": {"build": "30m"}})
    status = await stage.reaches(observedGeneration=2)
    await stage.settled()
    assert (status["run"], status["output"], len(stage.pods())) == (before["run"], before["output"], 1)
    assert stage.api.count(*WRITE, "shop") == 1


async def test_a_spec_that_cannot_be_read_fails_with_the_path_of_the_field(stage: Stage) -> None:
    await stage.operator()
    stage.apply(spec={**OTHER, "output": {}, "timeouts": {"build": "soon"}})
    status = await stage.reaches(phase="Failed")
    assert status["reason"] == "SpecInvalid"
    assert "spec.timeouts.build" in status["message"]
    assert stage.pods() == []
