"""The values of the Helm chart: one table, from which values.yaml, its schema and the table in its README are made."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from generator import kustomize
from generator.kustomize import Document

STRING, LABELS = {"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}
OBJECT, OBJECTS = {"type": "object"}, {"type": "array", "items": {"type": "object"}}
SWITCH = {"type": "boolean"}
NAMESPACE = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}


class Value(NamedTuple):
    path: str
    default: Any
    schema: Document
    says: str

    @property
    def group(self) -> str:
        return self.path.partition(".")[0]


class Defaults(NamedTuple):
    """What manifests/ says where a value may say something else."""

    replicas: int
    resources: Document
    tolerations: list[Document]
    config: Document

    @classmethod
    def of(cls, manifests: Path) -> Defaults:
        operator, seccomp = (kustomize.documents(manifests / name) for name in ("operator", "seccomp"))
        deployment, daemons = kustomize.of_kind(operator, "Deployment"), kustomize.of_kind(seccomp, "DaemonSet")
        config = yaml.safe_load(kustomize.of_kind(operator, "ConfigMap")["data"]["config.yaml"])
        return cls(
            replicas=deployment["spec"]["replicas"],
            resources=deployment["spec"]["template"]["spec"]["containers"][0]["resources"],
            tolerations=daemons["spec"]["template"]["spec"]["tolerations"],
            config={key: value for key, value in config.items() if key != "builder"},
        )


def table(defaults: Defaults, *, operator: str, builder: str, bounds: bool) -> list[Value]:
    return [
        Value("operator.image", operator, STRING, "the operator's image, best by digest; needed"),
        Value("operator.replicas", defaults.replicas, {"type": "integer", "minimum": 0}, "one leads"),
        Value("operator.resources", defaults.resources, OBJECT, "of the operator's container"),
        Value(
            *("operator.imagePullSecrets", [], OBJECTS),
            "of the operator's pods, as `[{name: …}]`; those of build pods are `config.pod.imagePullSecrets`",
        ),
        Value("operator.nodeSelector", {}, LABELS, "of the operator's pods"),
        Value("operator.tolerations", [], OBJECTS, "of the operator's pods"),
        Value("builder.image", builder, STRING, "the image of build pods and of the seccomp DaemonSet; needed"),
        Value(
            *("config", defaults.config, OBJECT),
            "the operator's configuration, every key of docs/reference.md; builder.image goes into it by itself",
        ),
        Value(
            *("namespaces", [], {"type": "array", "items": NAMESPACE, "uniqueItems": True}),
            "where the operator works, with a Role in each and nothing that is the cluster's: no CRD, no ClusterRole, "
            "no DaemonSet (docs/namespaced.md); none: in the whole cluster",
        ),
        Value("crd.enabled", True, SWITCH, "install and upgrade the CRD; `helm uninstall` leaves it there"),
        Value("seccomp.enabled", True, SWITCH, "the DaemonSet that puts the seccomp profile on the nodes"),
        Value("seccomp.imagePullSecrets", [], OBJECTS, "of that DaemonSet; its namespace is imagebuild-seccomp"),
        Value("seccomp.nodeSelector", {}, LABELS, "of that DaemonSet"),
        Value("seccomp.tolerations", defaults.tolerations, OBJECTS, "of that DaemonSet"),
        Value(
            "operatorBounds.enabled", bounds, SWITCH, "manifests/components/operator-bounds, with the builder's image"
        ),
        Value("requesterRights.enabled", False, SWITCH, "manifests/components/requester-rights"),
        Value("cacheVolumes.enabled", False, SWITCH, "manifests/components/cache-volumes: the right to keep claims"),
        Value(
            *("monitoring.enabled", False, SWITCH),
            "manifests/components/monitoring; needs the CRDs of the Prometheus Operator",
        ),
    ]


def text(values: Iterable[Value]) -> str:
    """As a person would write values.yaml. JSON is YAML."""
    lines: list[str] = []
    for group, members in groupby(values, key=lambda value: value.group):
        for value in members:
            indent = "" if value.path == group else "  "
            if indent and f"{group}:" not in lines:
                lines.append(f"{group}:")
            name = value.path.rpartition(".")[2]
            lines += [f"{indent}# {line}" for line in textwrap.wrap(value.says, 110)]
            lines.append(f"{indent}{name}: {json.dumps(value.default)}")
    return "\n".join(lines) + "\n"


def schema(values: Iterable[Value]) -> str:
    """Nothing that is not in the table, but `global`, which charts around this one pass on."""
    top = _object({"global": OBJECT})
    for value in values:
        group, dot, name = value.path.partition(".")
        described = {"description": value.says, **value.schema}
        if dot:
            top["properties"].setdefault(group, _object({}))["properties"][name] = described
        else:
            top["properties"][group] = described
    return json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", **top}, indent=2) + "\n"


def _object(properties: Document) -> Document:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def readme(values: Iterable[Value]) -> str:
    rows = [f"| `{value.path}` | `{json.dumps(value.default)}` | {value.says} |" for value in values]
    return "\n".join([README, "| value | default | |", "|---|---|---|", *rows]) + "\n"


README = """\
# The chart of the ImageBuild operator

Its templates are made of `manifests/` by hack/generate, and render what kustomize does. `docs/install.md` says how to
install and upgrade it, and what becomes of the CRD.
"""
