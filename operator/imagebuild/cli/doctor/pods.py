"""The probe pods: build pods as the operator makes them, with the runner's other entry and nobody who owns them."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

from imagebuild.api import names
from imagebuild.api.config import Isolation, OperatorConfig
from imagebuild.api.imagebuild import parse
from imagebuild.api.proxy import ProxyConfig
from imagebuild.api.status import Run, timestamp
from imagebuild.contract import probe
from imagebuild.core.pod import pod
from imagebuild.core.policy import within

__all__ = ["DOCTOR", "Probe", "effective", "manifest"]

DOCTOR = "imagebuild-doctor"
"""The label's value by which they are known, and the operator's is not."""
_LEFT_BEHIND_SECONDS = 30
"""A pod ends by itself so long after nobody waits for it any more."""
_EVERYWHERE = [{"operator": "Exists"}]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    name: str
    namespace: str
    mode: Isolation
    node: str = ""
    """None named: wherever the scheduler puts it."""
    tainted: bool = False
    """It tolerates all taints."""
    patience: float
    """Seconds."""


def effective(config: OperatorConfig, namespace: str) -> OperatorConfig:
    """As it is in force there, and without what a node has no part in: registries and proxies, whose Secrets the pods
    would wait for."""
    return within(config, namespace).model_copy(
        update={"namespaces": (), "registries": (), "proxy": ProxyConfig(), "certificate_authorities": ""}
    )


def manifest(wanted: Probe, config: OperatorConfig) -> dict[str, Any]:
    """`config`: what `effective` gives."""
    placing = {
        **({"affinity": {"nodeAffinity": _on(wanted.node)}} if wanted.node else {}),
        **({"tolerations": _EVERYWHERE} if wanted.tainted else {}),
    }
    build = parse(_document(wanted, placing))
    assert build.spec is not None, build.problem
    made = pod(
        build, build.spec, Run(number=1, inputs_hash=""), 1, config.model_copy(update={"isolation": wanted.mode})
    )
    spec, annotations = made["spec"], made["metadata"]["annotations"]
    (container,) = spec["containers"]
    labels = {names.MANAGED_BY: DOCTOR, "sidecar.istio.io/inject": "false"}
    return {
        **made,
        "metadata": {
            "name": wanted.name,
            "namespace": wanted.namespace,
            "labels": labels,
            "annotations": annotations,
        },
        "spec": {
            **spec,
            "activeDeadlineSeconds": round(wanted.patience) + _LEFT_BEHIND_SECONDS,
            "containers": [{**container, "command": list(probe.COMMAND)}],
        },
    }


def _document(wanted: Probe, placing: dict[str, Any]) -> dict[str, Any]:
    """An ImageBuild that no API server has."""
    return {
        "metadata": {
            "name": wanted.name,
            "namespace": wanted.namespace,
            "uid": wanted.name,
            "generation": 1,
            "resourceVersion": "1",
            "creationTimestamp": timestamp(datetime.fromtimestamp(0, UTC)),
        },
        "spec": {
            "dockerfile": {"inline": probe.DOCKERFILE},
            "output": {"discard": True},
            **({"pod": placing} if placing else {}),
        },
    }


def _on(node: str) -> dict[str, Any]:
    """By its name, and through the scheduler, which looks at its resources."""
    named = {"key": "metadata.name", "operator": "In", "values": [node]}
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": [named]}]}}
