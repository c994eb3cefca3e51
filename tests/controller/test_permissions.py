"""The manifests grant what the operator calls, and nothing else. The other tests' API server grants the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from kubernetes.aio import client

import make
from controller.grants import (
    granted,
    granted_at_home,
    granted_for_claims_in_a_namespace,
    granted_in_a_namespace,
)
from controller.objects import BUILDS, EVENTS, LEASES, PODS
from controller.stage import OTHER, UNHURRIED, Stage
from imagebuild.controller.__main__ import parser
from imagebuild.controller.cluster import PERMISSIONS, PERMISSIONS_AT_HOME, PERMISSIONS_FOR_CLAIMS, ApiError, Cluster

MANIFESTS = Path(__file__).parents[2] / "manifests" / "operator"


def test_the_cluster_role_grants_exactly_the_permissions_that_the_code_names() -> None:
    assert granted() == PERMISSIONS


def test_the_role_in_its_own_namespace_grants_the_lease_and_nothing_else() -> None:
    grants, names = granted_at_home()
    assert grants == PERMISSIONS_AT_HOME
    assert names == {parser().get_default("lease_name")}
    assert not names & generated()  # kustomize would put the hash of the ConfigMap's content behind the name


def test_without_a_cluster_role_a_role_grants_the_same_in_each_namespace() -> None:
    assert granted_in_a_namespace() == PERMISSIONS
    assert granted_for_claims_in_a_namespace() == PERMISSIONS_FOR_CLAIMS


def generated() -> set[str]:
    kustomization = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())
    return {each["name"] for each in kustomization["configMapGenerator"]}


async def test_every_permission_is_needed(stage: Stage) -> None:
    await stage.operator(election=UNHURRIED)
    stage.apply("running")
    await stage.running(name="running")
    stage.apply("running", OTHER)  # its pod is asked to stop
    stage.apply("waiting")
    await stage.reaches("waiting", podName=(await stage.pod(name="waiting"))["metadata"]["name"])
    stage.apply("waiting", OTHER)  # its pod is deleted
    stage.objects.withhold(BUILDS)
    stage.apply("stale")
    stage.objects.release(BUILDS)
    lost = await stage.running(name="stale")
    stage.objects.withhold(BUILDS)
    stage.apply("stale", labels={"news": "none"})  # its next status meets a conflict
    stage.kubelet.vanish(lost)  # and its pod is looked for
    await stage.reaches("stale", reason="Retrying")
    await stage.api.until("the pod to be asked to stop", lambda: stage.api.count("patch", PODS))
    await stage.api.until("the pod to be deleted", lambda: stage.api.count("delete", PODS))
    await stage.api.until("an event", lambda: stage.api.count("create", EVENTS))
    await stage.api.until("the lease to be renewed", lambda: stage.api.count("update", LEASES))
    await delete(stage, "waiting")
    made = {(request.resource, request.verb) for request in stage.api.requests}
    grants = PERMISSIONS | PERMISSIONS_AT_HOME
    assert made == {(resource, verb) for (_, resource), verbs in grants.items() for verb in verbs}


async def delete(stage: Stage, name: str) -> None:
    """As what removes ImageBuilds whose time to live has passed."""
    meta = stage.objects.get(BUILDS, ("team-a", name))["metadata"]
    cluster = Cluster(client.Configuration(host=stage.api.url))
    try:
        with pytest.raises(ApiError, match="409 Conflict"):
            await cluster.delete_build("team-a", name, meta["uid"], "1")
        await cluster.delete_build("team-a", name, meta["uid"], meta["resourceVersion"])
    finally:
        await cluster.close()
    assert ("team-a", name) not in stage.objects.kept[BUILDS]


async def test_the_operator_reads_build_pods_only(stage: Stage) -> None:
    await stage.operator()
    read = [request for request in stage.api.requests if request.resource == PODS and request.verb in ("list", "watch")]
    assert read
    assert {request.selector for request in read} == {"app.kubernetes.io/managed-by=imagebuild-operator"}
    assert make.SPEC != OTHER
