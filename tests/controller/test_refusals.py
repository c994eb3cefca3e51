"""The API server says no, or nothing."""

from __future__ import annotations

from typing import Any

import pytest

import make
from controller.objects import BUILDS, PODS
from controller.stage import Stage
from imagebuild.api import names
from imagebuild.api.imagebuild import parse
from imagebuild.core.pod import pod_name

STATUS = f"{BUILDS}/status"
QUOTA = (
    'pods "x" is forbidden: exceeded quota: small, requested: limits.memory=4Gi, used: limits.memory=8Gi, '
    "limited: limits.memory=8Gi"
)
POD_SECURITY = (
    'pods "x" is forbidden: violates PodSecurity "restricted:latest": unrestricted capabilities '
    '(container "build" must set securityContext.capabilities.drop=["ALL"])'
)
RBAC = 'pods is forbidden: User "operator" cannot create resource "pods" in API group "" in the namespace "team-a"'


async def test_an_answer_that_is_lost_leads_to_the_pod_that_was_made(stage: Stage) -> None:
    lost = stage.api.fail("create", PODS, lost=True)
    await stage.operator()
    stage.objects.withhold(PODS)
    stage.apply()
    await stage.reaches(reason="Starting")
    stage.objects.release(PODS)
    status = await stage.succeeds()
    assert (lost.met, len(stage.pods()), status["attempt"]) == (1, 1, 1)
    assert stage.api.count("create", PODS) == 2
    assert [error.reason for _, error in stage.api.refused] == ["AlreadyExists"]


async def test_a_pod_of_another_owner_with_the_name_fails_the_build_and_stays(stage: Stage) -> None:
    build = parse(stage.apply())
    name = pod_name(build, run=1, attempt=1)
    foreign = stage.objects.create(PODS, {"metadata": {"namespace": "team-a", "name": name}, "spec": {}})
    await stage.operator()
    status = await stage.reaches(phase="Failed")
    assert status["reason"] == "NameTaken"
    assert name in status["message"]
    assert status["failure"]["nextStep"]
    await stage.settled()
    assert stage.objects.kept[PODS]["team-a", name] == foreign


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"annotations": {names.ANNOTATION_INPUTS: "other"}}, id="inputs"),
        pytest.param({"ownerReferences": []}, id="owner"),
    ],
)
async def test_a_pod_that_was_not_made_for_this_attempt_is_not_adopted(stage: Stage, other: dict[str, Any]) -> None:
    pod = make.pod_document(parse(stage.apply()))
    # without labels it is not seen before the POST
    stage.objects.create(PODS, {**pod, "metadata": {**pod["metadata"], "labels": {}, **other}, "spec": {}})
    await stage.operator()
    await stage.reaches(phase="Failed", reason="NameTaken")


async def test_a_full_quota_is_waited_for_and_costs_no_attempt(stage: Stage) -> None:
    full = stage.api.fail("create", PODS, 403, reason="Forbidden", message=QUOTA, times=3)
    await stage.operator()
    stage.apply()
    waiting = await stage.reaches(reason="QuotaExceeded")
    assert (waiting["phase"], waiting["message"]) == ("Pending", QUOTA)
    status = await stage.succeeds()
    assert (full.met, status["attempt"], status["failures"], status["waits"]) == (3, 1, 0, 0)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param(403, POD_SECURITY, id="Pod Security"),
        pytest.param(403, 'pods "x" is forbidden: ValidatingAdmissionPolicy "p" denied request: no', id="policy"),
        pytest.param(400, 'admission webhook "w.example.com" denied the request: no', id="webhook without a code"),
        pytest.param(422, 'Pod "x" is invalid: spec.containers[0].resources: too much', id="invalid"),
    ],
)
async def test_a_pod_that_is_not_allowed_fails_the_build_with_the_servers_sentence(
    stage: Stage, code: int, message: str
) -> None:
    stage.api.fail("create", PODS, code, reason="Forbidden", message=message)
    await stage.operator()
    stage.apply()
    status = await stage.reaches(phase="Failed")
    assert (status["reason"], status["message"]) == ("PodRejected", message)
    await stage.settled()
    assert stage.api.count("create", PODS) == 2  # the canary's is the other


@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param(429, "too many requests", id="429"),
        pytest.param(500, "etcdserver: leader changed", id="500"),
        pytest.param(500, 'failed calling webhook "w.example.com": connection refused', id="webhook is down"),
        pytest.param(503, "apiserver is shutting down", id="503"),
        pytest.param(403, RBAC, id="our own rights are missing"),
    ],
)
@pytest.mark.parametrize(("verb", "resource"), [("create", PODS), ("update", STATUS)], ids=["pod", "status"])
async def test_what_is_not_the_builds_fault_is_tried_again_until_it_works(
    stage: Stage, verb: str, resource: str, code: int, message: str
) -> None:
    stage.api.fail(verb, resource, code, message=message, times=4)
    await stage.operator()
    stage.apply()
    status = await stage.succeeds()
    assert (len(stage.pods()), status["attempt"], status["failures"]) == (1, 1, 0)


async def test_a_quota_that_many_write_to_at_once_is_tried_again(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    told = 'Operation cannot be fulfilled on resourcequotas "q": the object has been modified'
    stage.api.fail("create", PODS, 409, reason="Conflict", message=told, times=2)
    await stage.operator()
    stage.apply()
    status = await stage.succeeds()
    assert (len(stage.pods()), status["attempt"], status["failures"]) == (1, 1, 0)
    assert stage.api.count("get", PODS) == 0
    assert "resourcequotas" in caplog.text


async def test_a_status_is_never_written_over_a_newer_object(stage: Stage) -> None:
    await stage.operator()
    stage.apply()
    name = await stage.running()
    stage.objects.withhold(BUILDS)
    stage.apply(spec={**make.SPEC, "timeouts": {"build": "30m"}})
    stage.kubelet.end(name)
    status = await stage.reaches(phase="Succeeded")
    assert status["observedGeneration"] == 2
    assert stage.api.count("get", BUILDS) == 1


async def test_a_status_write_whose_answer_is_lost_is_not_repeated_without_end(stage: Stage) -> None:
    lost = stage.api.fail("update", STATUS, lost=True, times=2)
    await stage.operator()
    stage.apply()
    await stage.succeeds()
    await stage.settled()
    assert lost.met == 2
    assert stage.api.count("update", STATUS, "shop") <= 3 + 2 * lost.met
