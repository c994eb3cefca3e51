"""What starts a new run, and what becomes of the pod of the old one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import make
from controller.stage import OTHER, Stage
from imagebuild.api import names
from imagebuild.api.status import timestamp
from imagebuild.contract.reasons import Reason


def later(seconds: float) -> str:
    return timestamp(datetime.now(UTC) + timedelta(seconds=seconds))


async def test_rebuild_at_starts_a_new_run_and_the_old_digest_stays_in_sight(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    old = await stage.succeeds()
    stage.annotate(rebuild_at=later(1))
    second = await stage.pod(2)
    status = await stage.reaches(phase="Pending", reason="Starting")
    assert second["metadata"]["name"] != old["podName"]
    assert (status["run"]["number"], status["attempt"]) == (2, 1)
    assert status["lastSuccessful"]["digest"] == make.DIGEST
    assert "output" not in status
    assert status["history"] == [
        {"run": 1, "phase": "Succeeded", "reason": "Built", "digest": make.DIGEST, "commit": make.COMMIT}
        | {"finishedAt": old["finishedAt"]}
    ]


async def test_changed_inputs_stop_the_running_pod_and_build_only_when_it_has_ended(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    first = await stage.running()
    stage.apply(spec=OTHER)
    await stage.api.until(
        "the stop request", lambda: names.ANNOTATION_STOP in stage.pods()[0]["metadata"]["annotations"]
    )
    asked = stage.pods()[0]
    assert asked["metadata"]["annotations"][names.ANNOTATION_STOP] == "Superseded"
    assert asked["spec"]["activeDeadlineSeconds"] <= 40
    await stage.settled()
    assert len(stage.pods()) == 1
    stage.kubelet.end(first, make.broken(Reason.SUPERSEDED))
    status = await stage.succeeds(2)
    assert (status["run"]["number"], status["observedGeneration"]) == (2, 2)
    assert (status["history"][0]["run"], status["history"][0]["reason"]) == (1, "Superseded")
    assert stage.api.count("patch", "pods") == 1


async def test_the_deadline_of_a_pod_that_is_asked_to_stop_counts_from_when_its_node_took_it(stage: Stage) -> None:
    """activeDeadlineSeconds counts from there: counted from the container's start, a slow pull would end it at once."""
    await stage.operator()
    stage.apply()
    name = (await stage.pod())["metadata"]["name"]
    taken = timestamp(datetime.now(UTC) - timedelta(minutes=5))
    stage.kubelet.start(name, taken=taken)
    await stage.reaches(phase="Running")
    stage.apply(spec=OTHER)
    await stage.api.until("the stop request", lambda: stage.api.count("patch", "pods"))
    assert stage.pods()[0]["spec"]["activeDeadlineSeconds"] >= 5 * 60 + 20


async def test_a_deadline_that_is_near_already_stays_and_the_pod_is_asked_to_stop(stage: Stage) -> None:
    await stage.operator()
    stage.apply(spec={**make.SPEC, "timeouts": {"build": "5s"}})
    await stage.running()
    stage.apply(spec={**OTHER, "timeouts": {"build": "5s"}})
    await stage.api.until(
        "the stop request", lambda: names.ANNOTATION_STOP in stage.pods()[0]["metadata"]["annotations"]
    )
    assert stage.pods()[0]["spec"]["activeDeadlineSeconds"] == 5
    assert [error.code for _, error in stage.api.refused] == [422]
    stage.api.refused.clear()


async def test_changed_inputs_delete_a_pod_that_has_not_started(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    first = (await stage.pod())["metadata"]["name"]
    await stage.reaches(podName=first)
    stage.apply(spec=OTHER)
    status = await stage.reaches(observedGeneration=2, reason="Starting")
    assert [pod["metadata"]["name"] for pod in stage.pods()] == [status["podName"]] != [first]
    assert stage.api.count("delete", "pods") == 1


async def test_inputs_that_are_changed_back_in_time_are_the_same_run(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    first = await stage.running()
    stage.apply(spec=OTHER)
    await stage.api.until("the stop request", lambda: stage.api.count("patch", "pods"))
    stage.apply()
    stage.kubelet.end(first, make.broken(Reason.SUPERSEDED))
    status = await stage.succeeds(2)
    assert (status["run"]["number"], status["attempt"], status["failures"]) == (1, 2, 0)


async def test_a_field_that_the_operator_does_not_know_waits_for_a_newer_operator(stage: Stage) -> None:
    await stage.operator()
    stage.apply(spec={**make.SPEC, "sorcery": {"level": 9}})
    status = await stage.reaches(reason="OperatorTooOld")
    assert (status["phase"], "spec.sorcery" in status["message"], stage.pods()) == ("Pending", True, [])
