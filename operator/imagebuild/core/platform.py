"""`spec.platforms`: what BuildKit is to build for, and the nodes that can."""

from __future__ import annotations

from imagebuild.api.spec import ImageBuildSpec
from imagebuild.core.part import Part, PlanFields


def platform(spec: ImageBuildSpec) -> Part:
    if not spec.platforms:
        return Part()
    (wanted,) = spec.platforms  # the CRD takes one
    return Part(plan=PlanFields(platform=wanted), args=("--opt", f"platform={wanted}"))


def node_selector(spec: ImageBuildSpec) -> dict[str, str]:
    """The platform's own nodes, unless the user names others: a Dockerfile that cross-compiles builds on any."""
    own = {}
    for wanted in spec.platforms or ():
        system, architecture, *_ = wanted.split("/")
        own = {"kubernetes.io/os": system, "kubernetes.io/arch": architecture}
    return {**own, **((spec.pod.node_selector if spec.pod else None) or {})}
