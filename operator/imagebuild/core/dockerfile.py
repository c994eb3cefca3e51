"""`spec.dockerfile` and `spec.args`: what BuildKit's Dockerfile frontend is told."""

from __future__ import annotations

from imagebuild.api.spec import ImageBuildSpec
from imagebuild.contract import plan
from imagebuild.core.part import Part, PlanFields


def dockerfile(spec: ImageBuildSpec) -> Part:
    given = spec.dockerfile
    if given is None:
        return Part()
    path = given.path or plan.Dockerfile().path
    read = plan.Dockerfile(path=path, inline=given.inline, frontend=given.frontend)
    return Part(plan=PlanFields(dockerfile=read), args=("--opt", f"target={given.target}") if given.target else ())


def build_args(spec: ImageBuildSpec) -> Part:
    pairs = sorted((spec.args or {}).items())
    return Part(args=tuple(word for key, value in pairs for word in ("--opt", f"build-arg:{key}={value}")))
