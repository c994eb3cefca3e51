"""The operator's configuration and the nodes, as far as the user may read them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from imagebuild.api.config import Builder, OperatorConfig
from imagebuild.cli.configuration import in_cluster
from imagebuild.cli.doctor.looking import Pods
from imagebuild.cli.pages import pages
from imagebuild.cli.problem import ApiError, Problem

__all__ = ["builder", "configuration", "nodes"]

_FORBIDDEN = 403


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
        return [node for page in pages(partial(source.read, "/api/v1/nodes")) for node in page["items"]]
    except ApiError as error:
        if error.status != _FORBIDDEN:
            raise
        return None
