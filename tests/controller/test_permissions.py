"""The manifests grant what the operator calls, and nothing else. The other tests' API server grants the same."""

from __future__ import annotations

import make
from controller.grants import granted
from controller.objects import BUILDS, PODS
from controller.stage import OTHER, Stage
from imagebuild.controller.cluster import PERMISSIONS


def test_the_cluster_role_grants_exactly_the_permissions_that_the_code_names() -> None:
    assert granted() == PERMISSIONS


async def test_every_permission_is_needed(stage: Stage) -> None:
    await stage.operator()
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
    made = {(request.resource, request.verb) for request in stage.api.requests}
    assert made == {(resource, verb) for (_, resource), verbs in PERMISSIONS.items() for verb in verbs}


async def test_the_operator_reads_build_pods_only(stage: Stage) -> None:
    await stage.operator()
    read = [request for request in stage.api.requests if request.resource == PODS and request.verb in ("list", "watch")]
    assert read
    assert {request.selector for request in read} == {"app.kubernetes.io/managed-by=imagebuild-operator"}
    assert make.SPEC != OTHER
