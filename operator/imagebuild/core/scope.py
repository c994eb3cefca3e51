"""Who may share a cache: builds of one source, and of the same Dockerfile and target unless told otherwise."""

from __future__ import annotations

import json

from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.contract import plan


def scope(build: ImageBuild, spec: ImageBuildSpec, word: str | None = None) -> str:
    """`word`: a scope of the user's instead of Dockerfile and target."""
    git = spec.source.git if spec.source else None
    origin = git.url if git else f"{build.namespace}/{build.name}"
    if word is not None:
        return json.dumps([origin, word])
    context = spec.source.path if spec.source else None
    dockerfile = spec.dockerfile
    path = (dockerfile.path if dockerfile else None) or plan.Dockerfile().path
    return json.dumps([origin, context, path, dockerfile.target if dockerfile else None])
