"""The operator's configuration and the nodes, as far as the user may read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from imagebuild.api.config import Builder, OperatorConfig
from imagebuild.cli.configuration import in_cluster
from imagebuild.cli.doctor.looking import Pods
from imagebuild.cli.problem import ApiError, Problem

__all__ = ["builder", "configuration", "nodes"]

_FORBIDDEN = 403
_PAGE = "500"


def configuration(source: Pods, namespace: str, **given: Any) -> tuple[OperatorConfig, str]:
    """And a sentence where it is not the operator's. `given`: what is to be in it in any case. Raises Problem."""
    wanted = {key: value for key, value in given.items() if value is not None}
    try:
        return in_cluster(source, namespace).model_copy(update=wanted), ""
    except ApiError:
        raise
    except Problem as problem:
        if "builder" not in wanted:
            cure = "Name the builder image with --builder-image, or the operator's namespace with --operator-namespace."
            raise Problem(problem.message, cure) from problem
        return OperatorConfig(**wanted), f"{problem.message} This is about the default one."


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
