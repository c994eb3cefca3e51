"""People and limits step in while the operator works: cancel, suspend, hold, expiry, clean-up, a long queue."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import make
from controller.objects import BUILDS, PODS, Change
from controller.stage import QUICK, SWEEPING, Stage
from imagebuild.api.status import timestamp
from imagebuild.contract.reasons import Reason
from imagebuild.controller.handlers import begin

WRITE = ("update", f"{BUILDS}/status")
CLEANING = replace(SWEEPING, clean=0.05)
WAITING = 500


async def test_a_cancelled_build_is_stopped_and_its_pod_and_log_stay(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    pod = await stage.running()
    stage.annotate(cancel="1")
    await stage.asked_to_stop(pod, "Cancelled")
    stage.kubelet.end(pod, make.broken(Reason.CANCELLED))
    status = await stage.reaches(phase="Failed", reason="Cancelled")
    assert status["podName"] == pod
    assert [each["metadata"]["name"] for each in stage.pods()] == [pod]


async def test_a_build_that_is_asked_to_stop_says_so_until_it_has(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    pod = await stage.running()
    stage.annotate(cancel="1")
    status = await stage.reaches(phase="Running", reason="Cancelled")
    assert f"Waits for the build pod {pod} to end." in status["message"]


async def test_a_gitops_tool_that_removes_and_a_person_who_repeats_the_annotation_change_nothing(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    pod = await stage.running()
    stage.annotate(cancel="1")
    await stage.asked_to_stop(pod, "Cancelled")
    stage.annotate()
    await stage.settled()
    stage.kubelet.end(pod, make.broken(Reason.CANCELLED))
    await stage.reaches(phase="Failed", reason="Cancelled")
    stage.api.requests.clear()
    for again in ({"cancel": "1"}, {}, {"cancel": "1"}):
        stage.annotate(**again)
    await stage.settled()
    assert stage.api.count(*WRITE, "shop") == 0
    assert len(stage.pods()) == 1


async def test_a_suspended_build_is_stopped_and_started_over(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    pod = await stage.running()
    stage.apply(spec={**make.SPEC, "suspend": True})
    await stage.asked_to_stop(pod, "Suspended")
    stage.kubelet.end(pod, make.broken(Reason.STOPPED))
    await stage.reaches(phase="Pending", reason="Suspended")
    stage.apply(spec=make.SPEC)
    status = await stage.succeeds(number=2)
    assert (status["run"]["number"], status["attempt"], status["failures"]) == (1, 2, 0)


async def test_an_operator_on_hold_starts_builds_when_it_is_told_to(stage: Stage) -> None:
    stage.configure(hold=True)
    await stage.operator()
    stage.apply()
    await stage.reaches(phase="Pending", reason="Held")
    stage.apply("done")
    await stage.reaches("done", phase="Pending", reason="Held")
    stage.annotate("done", done_at=timestamp(datetime.now(UTC) + timedelta(seconds=1)))
    await stage.reaches("done", phase="Succeeded", reason="MarkedDone")
    stage.configure()
    await stage.succeeds()
    await stage.settled()
    assert stage.pods("done") == []


async def test_a_finished_build_is_deleted_when_its_time_is_over_and_one_of_argo_cd_is_not(stage: Stage) -> None:
    await stage.operator()
    stage.apply(spec={**make.SPEC, "ttlAfterFinished": "1s"})
    tracked = {"argocd.argoproj.io/tracking-id": "app:imagebuild.dev/ImageBuild:team-a/kept"}
    stage.apply("kept", {**make.SPEC, "ttlAfterFinished": "1s"}, annotations=tracked)
    await stage.succeeds(name="kept")
    stage.kubelet.end(await stage.running())
    await stage.api.until("the ImageBuild to go", lambda: ("team-a", "shop") not in stage.objects.kept[BUILDS])
    await stage.settled()
    assert ("team-a", "kept") in stage.objects.kept[BUILDS]


async def next_pod(stage: Stage, earlier: str) -> str:
    """The one that the status names after this one."""
    await stage.api.until("the next pod", lambda: stage.status().get("podName", earlier) != earlier)
    return str(stage.status()["podName"])


async def test_pods_go_by_number_and_the_statuses_stay_as_they_are(stage: Stage) -> None:
    stage.configure(retention={"perBuild": 1})
    await stage.operator(CLEANING)
    made = ""
    for version in ("1", "2", "3"):
        stage.apply(spec={**make.SPEC, "args": {"V": version}})
        made = await next_pod(stage, made)
        stage.kubelet.start(made)
        stage.kubelet.end(made)
        await stage.reaches(phase="Succeeded", podName=made)
    await stage.api.until("one pod", lambda: len(stage.pods()) == 1)
    assert stage.pods()[0]["metadata"]["name"] == made
    assert stage.status()["phase"] == "Succeeded"
    assert len(stage.status()["history"]) == 2


async def test_a_pod_that_was_left_when_its_imagebuild_was_deleted_goes(stage: Stage) -> None:
    await stage.operator(CLEANING)
    stage.apply()
    pod = await stage.running()
    orphan = stage.objects.get(PODS, ("team-a", pod))
    metadata = {key: value for key, value in orphan["metadata"].items() if key != "ownerReferences"}
    stage.objects.replace(PODS, ("team-a", pod), {**orphan, "metadata": metadata})
    stage.delete()
    await stage.api.until("the pod to be deleted", lambda: stage.api.count("delete", PODS, pod) > 0)


async def test_thousands_of_waiting_builds_cost_no_write_when_one_ends(stage: Stage) -> None:
    stage.configure(limits={"runningPerNamespace": 1})
    await stage.operator()
    stage.apply("first")
    first = await stage.running(name="first")
    for number in range(WAITING):
        stage.apply(f"waits-{number:04}")
    for number in range(WAITING):  # one by one: how fast the machine is makes no difference
        await stage.reaches(f"waits-{number:04}", reason="Queued")
    stage.api.requests.clear()
    stage.kubelet.end(first)
    await stage.pod(name="waits-0000")
    await stage.settled()
    written = {request.name for request in stage.api.requests if (request.verb, request.resource) == WRITE}
    assert {name for name in written if not name.startswith("canary")} == {"first", "waits-0000"}


async def test_a_pod_that_finds_no_node_gives_its_slot_to_the_next(stage: Stage) -> None:
    stage.configure(limits={"running": 1}, timeouts={"slot": "1s"})
    await stage.operator(replace(QUICK, slots=0.05))
    stage.apply("stuck")
    pod = await stage.pod(name="stuck")
    stage.kubelet.report(("team-a", pod["metadata"]["name"]), make.unschedulable("0/3 nodes have a GPU"))
    await stage.reaches("stuck", reason="Unschedulable")
    stage.apply("next")
    await stage.succeeds(name="next")
    assert stage.status("stuck")["reason"] == "Unschedulable"


async def test_a_correction_replaces_a_pod_that_nobody_reports_on_any_more(stage: Stage) -> None:
    await stage.operator()
    stage.apply(spec={**make.SPEC, "pod": {"nodeSelector": {"no": "such"}}})
    pod = (await stage.pod())["metadata"]["name"]
    stage.kubelet.report(("team-a", pod), make.unschedulable("0/3 nodes"))
    await stage.reaches(reason="Unschedulable")
    stage.apply(spec=make.SPEC)
    await stage.api.until("its removal", lambda: stage.api.count("delete", PODS, pod))
    stage.kubelet.vanish(pod)
    status = await stage.succeeds()
    assert (status["attempt"], status["failures"]) == (2, 0)


async def test_a_webhook_that_does_not_answer_is_told_after_a_while(stage: Stage) -> None:
    await stage.operator()
    stage.api.fail("create", PODS, 500, message='failed calling webhook "policy.example.com"', times=8)
    stage.apply()
    status = await stage.reaches(reason="ClusterUnavailable")
    assert "policy.example.com" in status["message"]
    await stage.succeeds()


async def test_a_queue_has_an_end_and_a_wait_too(stage: Stage) -> None:
    stage.configure(limits={"runningPerNamespace": 1, "queuedPerNamespace": 1})
    await stage.operator()
    stage.apply("runs")
    await stage.running(name="runs")
    stage.apply("waits", {**make.SPEC, "timeouts": {"queue": "1s"}})
    await stage.reaches("waits", reason="Queued")
    stage.apply("too-many")
    status = await stage.reaches("too-many", phase="Failed", reason="QueueFull")
    assert "1 builds wait in the namespace team-a" in status["message"]
    await stage.reaches("waits", phase="Failed", reason="QueueTimedOut")
    assert stage.pods("waits") == stage.pods("too-many") == []


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ('error looking up service account team-a/default: serviceaccount "default" not found', "ClusterUnavailable"),
        ("status unknown for quota: compute, resources: pods", "ClusterUnavailable"),
        ("exceeded quota: compute, requested: pods=1", "QuotaExceeded"),
        ('pods "x" is forbidden: not yet ready to handle request', "ClusterUnavailable"),
    ],
    ids=["no service account yet", "no status of the quota yet", "no room in the quota", "the API server starts"],
)
async def test_a_namespace_that_is_not_ready_yet_is_waited_for(stage: Stage, told: str, reason: str) -> None:
    await stage.operator()
    stage.api.fail("create", PODS, 403, reason="Forbidden", message=told)
    stage.apply()
    status = await stage.reaches(reason=reason)
    assert told in status["message"]
    await stage.succeeds()


async def test_a_pod_into_which_somebody_wrote_nonsense_ends_nothing(stage: Stage) -> None:
    operator = await stage.operator()
    stage.apply()
    pod = stage.objects.get(PODS, ("team-a", await stage.running()))
    await operator.kill()
    served = ("uid", "resourceVersion", "creationTimestamp", "annotations")
    metadata = {key: value for key, value in pod["metadata"].items() if key not in served}
    nonsense = {"imagebuild.dev/generation": "9" * 5_000}
    stage.objects.create(PODS, {**pod, "metadata": {**metadata, "name": "nonsense", "annotations": nonsense}})
    await stage.operator()
    stage.apply("other")
    await stage.succeeds(name="other")


async def test_an_operator_that_cannot_start_ends() -> None:
    class Broken:
        said = ""

        async def start(self) -> None:
            raise ValueError("a fault of ours")

        def give_up(self, why: str, error: BaseException) -> None:
            self.said = f"{why}: {error}"

    app: Any = Broken()
    await begin(app)
    assert app.said == "the operator could not start: a fault of ours"


async def test_a_tool_that_puts_everything_back_as_it_is_in_git_fights_nothing(stage: Stage) -> None:
    """Argo CD's self-heal, at its worst: after each change it applies the spec and the annotations again."""
    healed = asyncio.Event()

    def heal(change: Change) -> None:
        new = change.new
        if change.plural == BUILDS and new is not None and new["metadata"]["name"] == "shop":
            wanted = {**new["metadata"], "annotations": {"argocd.argoproj.io/tracking-id": "shop"}}
            if (new["spec"], new["metadata"].get("annotations")) != (make.SPEC, wanted["annotations"]):
                stage.objects.replace(BUILDS, ("team-a", "shop"), {**new, "spec": dict(make.SPEC), "metadata": wanted})
                healed.set()

    await stage.operator()
    stage.objects.listeners.append(heal)
    stage.apply()
    pod = await stage.running()
    stage.annotate(cancel="1")
    await healed.wait()
    stage.kubelet.end(pod)
    status = await stage.reaches(phase="Succeeded")
    stage.annotate(rebuild_at=timestamp(datetime.now(UTC) + timedelta(hours=1)))
    stage.annotate(cancel="1")
    await stage.settled()
    assert stage.status() == status
    assert len(stage.pods()) == 1
