"""The operator's configuration, as a person may read it: from the ConfigMap in the cluster, or from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import click
import yaml
from pydantic import ValidationError

from imagebuild import __version__
from imagebuild.api.complaints import MISSING, complaints
from imagebuild.api.config import OperatorConfig
from imagebuild.cli.gather import OPERATOR, config_maps
from imagebuild.cli.problem import ApiError, Problem

Document = dict[str, Any]

_KEY = "config.yaml"
_FORBIDDEN, _NOT_FOUND = 403, 404
_WITH_A_FILE = "Or give a copy of it: --config FILE."


class Source(Protocol):
    """Of cluster.Cluster, what it takes."""

    def read(self, path: str) -> Document: ...

    def rules(self, namespace: str) -> Document: ...


def in_file(path: Path) -> OperatorConfig:
    try:
        return load(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or error  # the file is named already
        raise click.BadParameter(f"{path} cannot be read: {said}", param_hint="'--config'") from error


def in_cluster(cluster: Source, namespace: str) -> OperatorConfig:
    """`namespace`: the operator's own."""
    try:
        name = named_by(cluster.rules(namespace)) or _named_by_deployment(cluster, namespace)
        found = cluster.read(f"/api/v1/namespaces/{namespace}/configmaps/{name}")
    except ApiError as error:
        if error.status == _FORBIDDEN:
            raise Problem(
                f"You may not read the operator's configuration in the namespace {namespace}.",
                f"An administrator adds your group to the RoleBinding imagebuild-configuration there. {_WITH_A_FILE}",
            ) from error
        if error.status == _NOT_FOUND:
            raise Problem(
                f"There is no operator's configuration in the namespace {namespace}.",
                f"Name the operator's namespace with --operator-namespace. {_WITH_A_FILE}",
            ) from error
        raise
    return load((found.get("data") or {}).get(_KEY) or "", f"the ConfigMap {name} in {namespace}")


def named_by(rules: Document) -> str | None:
    """The ConfigMap that the Role in manifests/operator/configuration.yaml is about: it has the name with its hash."""
    for rule in (rules.get("status") or {}).get("resourceRules") or ():
        if "configmaps" in rule.get("resources", ()) and "get" in rule["verbs"]:
            for name in rule.get("resourceNames") or ():
                if name.startswith(OPERATOR):
                    return str(name)
    return None


def _named_by_deployment(cluster: Source, namespace: str) -> str:
    """For who may read more than that Role grants, where it is not there."""
    names = config_maps(cluster.read(f"/apis/apps/v1/namespaces/{namespace}/deployments/{OPERATOR}"))
    return min(names, key=lambda name: not name.startswith(OPERATOR), default=OPERATOR)


def load(text: str, where: str) -> OperatorConfig:
    try:
        written = yaml.safe_load(text) or {}
    except Exception as error:  # the parser lets many of Python's own out
        raise Problem(f"The configuration in {where} is not YAML: {error}") from error
    try:
        return OperatorConfig.model_validate(written)
    except ValidationError as error:
        key, wrong = complaints(error, OperatorConfig)[0]
        if wrong == MISSING:
            told = f"The configuration in {where} has no {key}."
            raise Problem(told, "It has to be the whole configuration, not a part of it.") from error
        raise Problem(
            f"imagebuild {__version__} cannot read the configuration in {where}: {key}: {wrong}",
            "Correct it. Where the operator reads it all the same, it is another version: use its command.",
        ) from error
