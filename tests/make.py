"""Documents as the API server would hold them, for all tests: small by default, whole where a test says so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from imagebuild.api import names
from imagebuild.api.config import OperatorConfig
from imagebuild.api.imagebuild import ImageBuild, parse
from imagebuild.api.status import ImageBuildStatus
from imagebuild.api.status import timestamp as timestamp  # noqa: PLC0414  tests write times too
from imagebuild.contract import layout
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import BuildResult, Details, Essentials, dump
from imagebuild.core.observe import Observation, observe
from imagebuild.core.pod import pod_name
from imagebuild.core.run import inputs_hash

Document = dict[str, Any]

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
DIGEST = "sha256:" + "d" * 64
COMMIT = "c0ffee" + "0" * 34
SPEC: Document = {
    "source": {"git": {"url": "https://git.example.com/shop.git", "branch": "main"}},
    "output": {"images": ["registry.example.com/shop:{commit}"]},
}


def at(seconds: float) -> datetime:
    """So many seconds after the beginning of the test's story."""
    return START + timedelta(seconds=seconds)


def build_document(
    spec: Mapping[str, Any] = SPEC,
    *,
    name: str = "shop",
    namespace: str = "team-a",
    uid: str = "build-uid",
    generation: int = 1,
    resource_version: str = "1",
    created: float = 0,
    annotations: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    status: ImageBuildStatus | None = None,
    deleting: bool = False,
) -> Document:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid,
            "generation": generation,
            "resourceVersion": resource_version,
            "creationTimestamp": timestamp(at(created)),
            **({"annotations": dict(annotations)} if annotations else {}),
            **({"labels": dict(labels)} if labels else {}),
            **({"deletionTimestamp": timestamp(at(created))} if deleting else {}),
        },
        "spec": dict(spec),
        **({"status": status_document(status)} if status else {}),
    }


def make_build(spec: Mapping[str, Any] = SPEC, **given: Any) -> ImageBuild:
    return parse(build_document(spec, **given))


def status_document(status: ImageBuildStatus) -> Document:
    """As the operator writes it."""
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def make_config(**given: Any) -> OperatorConfig:
    return OperatorConfig.model_validate({"builder": {"image": "registry.example.com/builder:1"}, **given})


def stored(manifest: Mapping[str, Any], uid: str, created: float = 0, version: str = "1") -> Document:
    """A manifest as the API server keeps it."""
    served = {"uid": uid, "creationTimestamp": timestamp(at(created)), "resourceVersion": version}
    return {**manifest, "metadata": {**manifest["metadata"], **served}, "status": {"phase": "Pending"}}


def pod_document(
    build: ImageBuild | None = None,
    *,
    run: int = 1,
    attempt: int = 1,
    uid: str = "",
    created: float = 0,
    annotations: Mapping[str, str] | None = None,
    status: Mapping[str, Any] | None = None,
) -> Document:
    """A build pod without its spec, which only the kubelet reads."""
    build = build or make_build()
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(build, run, attempt),
            "namespace": build.namespace,
            "uid": uid or f"pod-{run}-{attempt}",
            "resourceVersion": "1",
            "creationTimestamp": timestamp(at(created)),
            "labels": {
                names.MANAGED_BY: names.MANAGER,
                names.LABEL_BUILD: names.label_value(build.name),
                names.LABEL_RUN: str(run),
                names.LABEL_ATTEMPT: str(attempt),
            },
            "annotations": {names.ANNOTATION_INPUTS: inputs_hash(build.inputs), **(annotations or {})},
            "ownerReferences": [
                {
                    "apiVersion": names.API_VERSION,
                    "kind": names.KIND,
                    "name": build.name,
                    "uid": build.uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "status": dict(status or waiting()),
    }


def make_pod(build: ImageBuild | None = None, **given: Any) -> Observation:
    return observe(pod_document(build, **given))


def waiting(reason: str = "", message: str = "", **status: Any) -> Document:
    """A pod's status before its container has started."""
    state = {"waiting": {"reason": reason, "message": message}} if reason else {}
    return {"phase": "Pending", **_container(state), **status}


def unschedulable(message: str) -> Document:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"phase": "Pending", "conditions": [condition]}


def running(started: float = 1) -> Document:
    return {"phase": "Running", **_container({"running": {"startedAt": timestamp(at(started))}})}


def ended(
    result: BuildResult | str | None = None, *, code: int = 1, started: float = 1, finished: float = 9, **status: Any
) -> Document:
    """The container ended and left this in its termination message."""
    message = dump(result) if isinstance(result, BuildResult) else result
    terminated = {
        "exitCode": code,
        "reason": "Completed" if code == 0 else "Error",
        "startedAt": timestamp(at(started)),
        "finishedAt": timestamp(at(finished)),
        **({"message": message} if message else {}),
    }
    phase = "Succeeded" if code == 0 else "Failed"
    return {"phase": phase, **_container({"terminated": terminated}), **status}


def killed(reason: str, message: str = "", **more: Any) -> Document:
    """The kubelet ended the pod before, or without, any word of its container."""
    return {"phase": "Failed", "reason": reason, "message": message, **more}


def built(finished: float = 9, digest: str | None = DIGEST, started: float = 1, **details: Any) -> Document:
    said = Essentials(reason=Reason.BUILT, digest=digest, commit=COMMIT, branch="main")
    shown = Details(images=(f"registry.example.com/shop:{COMMIT}",) if digest else (), **details)
    return ended(BuildResult(essentials=said, details=shown), code=0, started=started, finished=finished)


def broken(reason: Reason, message: str = "", finished: float = 9, **details: Any) -> Document:
    result = BuildResult(essentials=Essentials(reason=reason, message=message), details=Details(**details))
    return ended(result, finished=finished)


def _container(state: Document) -> Document:
    return {"containerStatuses": [{"name": layout.CONTAINER, "state": state}]} if state else {}
