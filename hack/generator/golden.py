"""Build pods of the examples, of each isolation mode, and of a full configuration, as the operator makes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from imagebuild.api.config import Isolation, OperatorConfig
from imagebuild.api.imagebuild import ImageBuild, parse
from imagebuild.api.names import ANNOTATION_PLAN, KIND
from imagebuild.api.status import ImageBuildStatus, Run
from imagebuild.core.pod import pod
from imagebuild.core.run import inputs_hash
from imagebuild.core.tracing import trace

Document = dict[str, Any]

BUILDER = {"builder": {"image": "registry.example.com/imagebuild/builder:1"}}
EXAMPLES = {**BUILDER, "sbomScanner": "registry.example.com/sbom-scanner:1"}
UNTRUSTED = {"isolation": "Userns", "trust": "Untrusted", "untrusted": {"runtimeClassName": "hardened"}}
EVERYTHING = {
    **BUILDER,
    "isolation": "Userns",
    "seccompProfile": "profiles/ours.json",
    "apparmorProfile": "imagebuild-builder",
    "registries": [
        {"host": "docker.io", "mirrors": ["mirror.example.com/docker.io"]},
        {"host": "registry.example.com:5000", "http": True},
        {"host": "lab.example.com", "insecure": True},
        {"host": "vault.example.com", "clientCertificate": {"name": "registry-client"}},
    ],
    "sbomScanner": "registry.example.com/sbom-scanner:1",
    "frontends": {"allowed": ["docker/dockerfile"]},
    "certificateAuthorities": "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n",
    "proxy": {
        "http": "http://proxy.example.com:3128",
        "https": "http://proxy.example.com:3128",
        "noProxy": [".svc", "10.0.0.0/8"],
        "secretRef": {"name": "egress-proxy"},
    },
    "pod": {
        "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "2Gi"}},
        "imagePullSecrets": ["builder-pull"],
    },
    "timeouts": {"build": "20m"},
    "archive": {
        "repository": "registry.example.com:5000/build-logs/{namespace}",
        "secret": {"name": "build-logs"},
        "mode": "Always",
    },
    "tracing": {"endpoint": "http://otel-collector.observability:4318"},
}
REBUILD_AT = datetime(2026, 1, 1, tzinfo=UTC)


def golden(root: Path) -> dict[str, tuple[Document, ...]]:
    """By file name: the pod, and the plan that it carries."""
    examples = root / "manifests" / "examples"
    shortest = _image_build(examples / "git.yaml")
    return {
        **{f"example-{path.stem}": _example(_image_build(path)) for path in sorted(examples.glob("*.yaml"))},
        **{f"isolation-{mode.value.lower()}": _pod(shortest, {**BUILDER, "isolation": mode}) for mode in Isolation},
        "configuration-everything": _pod(shortest, EVERYTHING),
        "configuration-untrusted": _pod(shortest, {**BUILDER, **UNTRUSTED}),
        "configuration-unconfined": _pod(shortest, {**BUILDER, "seccompUnconfined": True}),
        "rebuild-second-attempt": _pod(shortest, BUILDER, number=3, attempt=2, rebuild_at=REBUILD_AT),
    }


def _image_build(path: Path) -> ImageBuild:
    (written,) = (document for document in yaml.safe_load_all(path.read_text()) if document["kind"] == KIND)
    served = {
        "namespace": "team-a",
        "uid": "00000000-0000-4000-8000-000000000000",
        "generation": 1,
        "resourceVersion": "1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    return parse({**written, "metadata": {**written["metadata"], **served}})


def _example(build: ImageBuild) -> tuple[Document, ...]:
    """One that is not trusted has a pod in this mode only."""
    lowers = build.spec is not None and build.spec.trust is not None
    return _pod(build, {**EXAMPLES, **({"isolation": "Userns"} if lowers else {})})


def _pod(
    build: ImageBuild,
    config: Mapping[str, Any],
    *,
    number: int = 1,
    attempt: int = 1,
    rebuild_at: datetime | None = None,
) -> tuple[Document, ...]:
    assert build.spec is not None, build.problem
    assert not build.unknown_fields, build.unknown_fields
    run = Run(number=number, inputs_hash=inputs_hash(build.inputs), rebuild_at=rebuild_at)
    given = OperatorConfig.model_validate(config)
    traced = trace(build, ImageBuildStatus(run=run), given)
    made = pod(build, build.spec, run, attempt, given, trace=traced)
    metadata = made["metadata"]
    plan = json.loads(metadata["annotations"][ANNOTATION_PLAN])
    shown = {**metadata["annotations"], ANNOTATION_PLAN: "(the document below, as one line of JSON)"}
    return {**made, "metadata": {**metadata, "annotations": shown}}, plan
