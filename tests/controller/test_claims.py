"""Claims for `cache.volume.template`: made, shared in turn, kept when the builds are gone, and deleted when unused."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

import make
from controller.grants import granted_for_claims
from controller.objects import BUILDS, CLAIMS, PODS, Document
from controller.stage import QUICK, Stage
from imagebuild.api import names
from imagebuild.controller.cluster import PERMISSIONS_FOR_CLAIMS

SPEC = {**make.SPEC, "cache": {"volume": {"template": {"size": "1Gi"}}}}
CLEANING = replace(QUICK, clean=0.05)
LONG_AGO = "2020-01-01T00:00:00Z"
NO_RIGHT = 'persistentvolumeclaims "x" is forbidden: User "operator" cannot get resource "persistentvolumeclaims"'


@pytest.fixture
def keeping(stage: Stage) -> Stage:
    """Where the administrator allows claims, and has added the component."""
    stage.api.grant(*((resource, verb) for (_, resource), verbs in granted_for_claims().items() for verb in verbs))
    stage.configure(cacheVolumes={"allowed": True})
    return stage


def claims(stage: Stage) -> list[Document]:
    return list(stage.objects.kept[CLAIMS].values())


def spoil(stage: Stage, **annotations: str) -> Document:
    """The only claim, as if these were its annotations."""
    (found,) = claims(stage)
    meta = found["metadata"]
    noted = {f"{names.GROUP}/{word.replace('_', '-')}": value for word, value in annotations.items()}
    key = (meta["namespace"], meta["name"])
    return stage.objects.replace(CLAIMS, key, {**found, "metadata": {**meta, "annotations": noted}})


def changes(stage: Stage) -> dict[str, int]:
    return {verb: stage.api.count(verb, CLAIMS) for verb in ("create", "patch", "delete")}


def test_the_component_grants_exactly_what_the_code_names() -> None:
    assert granted_for_claims() == PERMISSIONS_FOR_CLAIMS


async def test_builds_of_one_key_share_a_claim_in_turn_and_it_outlives_them(keeping: Stage) -> None:
    await keeping.operator()
    keeping.apply("one", SPEC)
    first = await keeping.running(name="one")
    keeping.apply("two", SPEC)
    waits = await keeping.reaches("two", reason="Queued")
    assert waits["message"] == "waits for its cache volume, which one uses or has asked for before"
    keeping.kubelet.end(first)
    await keeping.succeeds(name="two")
    (made,) = claims(keeping)
    pods = [*keeping.pods("one"), *keeping.pods("two")]
    assert {"ownerReferences", "finalizers"} & made["metadata"].keys() == set()
    assert all(made["metadata"]["name"] in str(pod["spec"]["volumes"]) for pod in pods)
    keeping.delete("one")
    keeping.delete("two")
    await keeping.settled()
    assert claims(keeping) == [made]
    assert changes(keeping) == {"create": 1, "patch": 0, "delete": 0}


async def test_a_claim_is_its_pods_until_that_has_ended_whatever_the_spec_says_by_then(keeping: Stage) -> None:
    await keeping.operator(CLEANING)
    keeping.apply("one", SPEC)
    first = await keeping.running(name="one")
    (made,) = claims(keeping)
    spoil(keeping, last_used=LONG_AGO)
    keeping.apply("one", {**make.SPEC, "cache": {"noCache": True}})
    looked = keeping.api.count("list", CLAIMS)
    await keeping.api.until("two looks at claims", lambda: keeping.api.count("list", CLAIMS) > looked + 2)
    assert [each["metadata"]["name"] for each in claims(keeping)] == [made["metadata"]["name"]], "it is not unused"
    keeping.apply("two", SPEC)
    waits = await keeping.reaches("two", reason="Queued")
    assert waits["message"] == "waits for its cache volume, which one uses or has asked for before"
    keeping.kubelet.end(first)
    await keeping.succeeds(name="two")


async def test_builds_without_a_template_ask_nothing_of_claims(keeping: Stage) -> None:
    await keeping.operator()
    keeping.apply()
    await keeping.succeeds()
    assert [request for request in keeping.api.requests if request.resource == CLAIMS] == []


async def test_an_old_time_of_the_last_use_is_written_anew(keeping: Stage) -> None:
    await keeping.operator()
    keeping.apply("one", SPEC)
    await keeping.succeeds(name="one")
    spoil(keeping, last_used=LONG_AGO, cache_of="shop main")
    keeping.apply("two", SPEC)
    await keeping.succeeds(name="two")
    (found,) = claims(keeping)
    assert found["metadata"]["annotations"]["imagebuild.dev/last-used"] > LONG_AGO
    assert found["metadata"]["annotations"]["imagebuild.dev/cache-of"] == "shop main"
    assert changes(keeping) == {"create": 1, "patch": 1, "delete": 0}


async def test_a_claim_that_nobody_has_used_for_long_is_deleted_and_no_other(keeping: Stage) -> None:
    await keeping.operator(CLEANING)
    keeping.apply("one", SPEC)
    pod = await keeping.running(name="one")
    theirs = {"metadata": {"namespace": "team-a", "name": "theirs", "annotations": {}}}
    keeping.objects.create(CLAIMS, theirs)
    (found,) = (each for each in claims(keeping) if each["metadata"]["name"] != "theirs")
    key = ("team-a", found["metadata"]["name"])
    old = {**found, "metadata": {**found["metadata"], "annotations": {names.ANNOTATION_LAST_USED: LONG_AGO}}}
    keeping.objects.replace(CLAIMS, key, old)
    looked = keeping.api.count("list", CLAIMS)
    await keeping.api.until("two looks at claims", lambda: keeping.api.count("list", CLAIMS) > looked + 2)
    assert key in keeping.objects.kept[CLAIMS]  # in use
    keeping.kubelet.end(pod)
    await keeping.api.until("the claim to be gone", lambda: key not in keeping.objects.kept[CLAIMS])
    assert [each["metadata"]["name"] for each in claims(keeping)] == ["theirs"]


async def test_nothing_is_looked_for_where_no_claims_are_kept(stage: Stage) -> None:
    await stage.operator(CLEANING)
    stage.apply()
    await stage.succeeds()
    await stage.settled()
    assert stage.api.count("list", CLAIMS) == 0


@pytest.mark.parametrize(
    ("code", "message", "reason", "says"),
    [
        pytest.param(403, "exceeded quota: q, requested: requests.storage=1Gi", "QuotaExceeded", "quota", id="quota"),
        pytest.param(403, NO_RIGHT, "ClaimMissing", "manifests/components/cache-volumes", id="no right"),
    ],
)
async def test_what_can_be_mended_is_waited_for(
    keeping: Stage, code: int, message: str, reason: str, says: str
) -> None:
    verb = "get" if message == NO_RIGHT else "create"
    met = keeping.api.fail(verb, CLAIMS, code, reason="Forbidden", message=message, times=3)
    await keeping.operator()
    keeping.apply(spec=SPEC)
    waiting = await keeping.reaches(reason=reason)
    assert says in waiting["message"]
    status = await keeping.succeeds()
    assert (met.met, status["attempt"], status["failures"]) == (3, 1, 0)


async def test_a_webhook_that_does_not_answer_is_told_after_a_while(keeping: Stage) -> None:
    keeping.api.fail("create", CLAIMS, 500, message='failed calling webhook "policy.example.com"', times=8)
    await keeping.operator()
    keeping.apply(spec=SPEC)
    waiting = await keeping.reaches(reason="ClusterUnavailable")
    assert "policy.example.com" in waiting["message"]
    await keeping.succeeds()


async def test_an_api_server_that_starts_ends_nothing(keeping: Stage) -> None:
    told = 'persistentvolumeclaims "x" is forbidden: not yet ready to handle request'
    keeping.api.fail("create", CLAIMS, 403, reason="Forbidden", message=told, times=2)
    await keeping.operator()
    keeping.apply(spec=SPEC)
    status = await keeping.succeeds()
    assert (status["attempt"], status["failures"]) == (1, 0)


@pytest.mark.parametrize("code", [429, 500, 503])
async def test_a_claim_that_cannot_be_read_blocks_nobody_else(keeping: Stage, code: int) -> None:
    keeping.configure(cacheVolumes={"allowed": True}, limits={"running": 1})
    met = keeping.api.fail("get", CLAIMS, code, times=math.inf, headers={"Retry-After": "3600"})
    await keeping.operator()
    keeping.apply("first", SPEC)
    await keeping.api.until("the claim to be asked for", lambda: met.met > 0)
    keeping.apply("second")
    await keeping.succeeds(name="second")
    assert keeping.pods("first") == []


@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param(422, 'PersistentVolumeClaim "x" is invalid: spec.resources: must be positive', id="invalid"),
        pytest.param(403, 'claims "x" is forbidden: ValidatingAdmissionPolicy "p" denied request: no', id="policy"),
    ],
)
async def test_a_claim_that_the_cluster_refuses_fails_the_build_with_its_sentence(
    keeping: Stage, code: int, message: str
) -> None:
    keeping.api.fail("create", CLAIMS, code, message=message)
    await keeping.operator()
    keeping.apply(spec=SPEC)
    status = await keeping.reaches(phase="Failed")
    assert (status["reason"], status["message"]) == ("ClaimRejected", message)
    assert keeping.pods() == []


async def test_a_claim_of_somebody_elses_with_the_name_is_never_used(keeping: Stage) -> None:
    await keeping.operator()
    keeping.apply("one", SPEC)
    await keeping.succeeds(name="one")
    (made,) = claims(keeping)
    key = ("team-a", made["metadata"]["name"])
    keeping.objects.remove(CLAIMS, key)
    keeping.objects.create(CLAIMS, {"metadata": {"namespace": "team-a", "name": key[1]}})
    keeping.apply("two", SPEC)
    status = await keeping.reaches("two", phase="Failed")
    assert (status["reason"], key[1] in status["message"]) == ("ClaimRejected", True)


async def test_a_claim_that_is_being_deleted_is_waited_for_and_made_anew(keeping: Stage) -> None:
    await keeping.operator()
    keeping.apply("one", SPEC)
    await keeping.succeeds(name="one")
    (made,) = claims(keeping)
    key = ("team-a", made["metadata"]["name"])
    keeping.objects.mark_deleted(CLAIMS, key)
    keeping.apply("two", SPEC)
    await keeping.reaches("two", reason="ClaimMissing")
    keeping.objects.remove(CLAIMS, key)
    await keeping.succeeds(name="two")
    assert [each["metadata"]["name"] for each in claims(keeping)] == [key[1]]


async def test_an_answer_that_is_lost_leads_to_the_claim_that_was_made(keeping: Stage) -> None:
    lost = keeping.api.fail("create", CLAIMS, lost=True)
    await keeping.operator()
    keeping.apply(spec=SPEC)
    status = await keeping.succeeds()
    assert (lost.met, len(claims(keeping)), len(keeping.pods()), status["attempt"]) == (1, 1, 1, 1)
    assert keeping.api.count("create", PODS) == 1
    assert keeping.status()["phase"] == "Succeeded", keeping.objects.kept[BUILDS]
