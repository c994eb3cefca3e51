"""`spec.contexts`: images for BuildKit to pull, and directories for the runner to fetch."""

from __future__ import annotations

from imagebuild.api.context import Context
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.contract import plan
from imagebuild.core.part import Part, PlanFields
from imagebuild.core.source import git_source, http_source

_HUB = ("index.docker.io/", "docker.io/")


def contexts(spec: ImageBuildSpec) -> Part:
    given = spec.contexts or ()
    images = [(familiar(context.name), context.image) for context in given if context.image is not None]
    fetched = [_fetched(context, f"context-{place}") for place, context in enumerate(given) if context.image is None]
    part = Part(
        plan=PlanFields(contexts=tuple(context for context, _ in fetched)) if fetched else PlanFields(),
        args=tuple(word for name, image in images for word in ("--opt", f"context:{name}=docker-image://{image}")),
    )
    return sum((secrets for _, secrets in fetched), part)


def _fetched(context: Context, whose: str) -> tuple[plan.Context, Part]:
    secrets, git, http, oci = Part(), None, None, None
    if context.git is not None:
        git, secrets = git_source(context.git, whose)
    if context.http is not None:
        http, secrets = http_source(context.http, whose)
    if context.oci is not None:
        oci = plan.OciSource(image=context.oci.image)
    name, path = familiar(context.name), context.path or "."
    return plan.Context(name=name, path=path, git=git, http=http, oci=oci), secrets


def familiar(name: str) -> str:
    """As BuildKit looks for it: `docker.io/library/alpine:latest` in a FROM line is `alpine`."""
    for hub in _HUB:
        name = name.removeprefix(hub)
    official = name.removeprefix("library/")
    return (name if "/" in official else official).removesuffix(":latest")
