"""The operator's configuration and the nodes, as far as the user may read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from imagebuild.api.config import Builder, OperatorConfig
from imagebuild.cli.doctor.looking import Pods
from imagebuild.cli.gather import OPERATOR, config_maps
from imagebuild.cli.problem import ApiError, Problem

__all__ = ["builder", "configuration", "nodes"]

_FORBIDDEN, _GONE = 403, 404
_FILE = "config.yaml"
_PAGE = "500"


def configuration(source: Pods, namespace: str, **given: Any) -> tuple[OperatorConfig, str]:
    """And a sentence where it is not the operator's. `given`: what is to be in it in any case. Raises Problem."""
    wanted = {key: value for key, value in given.items() if value is not None}
    note = ""
    try:
        text = _text(source, namespace)
        found = OperatorConfig.model_validate(yaml.safe_load(text) or {})
    except ApiError as error:
        if error.status not in (_FORBIDDEN, _GONE):
            raise
        why = "may not be read" if error.status == _FORBIDDEN else "is not there"
        note = f"The operator's configuration in {namespace} {why}: this is about the default one."
    except (yaml.YAMLError, ValidationError) as error:
        note = f"The operator's configuration in {namespace} is not one of this version ({_first(error)}): left out."
    else:
        return found.model_copy(update=wanted), ""
    if "builder" not in wanted:
        raise Problem(note, "Name the builder image with --builder-image.")
    return OperatorConfig(**wanted), note


def builder(image: str | None) -> Builder | None:
    return Builder(image=image) if image else None


def nodes(source: Pods) -> list[Mapping[str, Any]] | None:
    """None: they may not be listed."""
    try:
        return list(_pages(source))
    except ApiError as error:
        if error.status != _FORBIDDEN:
            raise
        return None


def _pages(source: Pods) -> Iterator[Mapping[str, Any]]:
    token = ""
    while True:
        page = source.read("/api/v1/nodes", {"limit": _PAGE, **({"continue": token} if token else {})})
        yield from page["items"]
        token = (page.get("metadata") or {}).get("continue") or ""
        if not token:
            return


def _text(source: Pods, namespace: str) -> str:
    deployment = source.read(f"/apis/apps/v1/namespaces/{namespace}/deployments/{OPERATOR}")
    for name in config_maps(deployment):
        data = source.read(f"/api/v1/namespaces/{namespace}/configmaps/{name}").get("data") or {}
        if _FILE in data:
            return str(data[_FILE])
    return ""


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        problem = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
    return "not YAML"
