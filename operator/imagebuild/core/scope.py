"""Who may share a cache: builds of one source, and of the same Dockerfile and target unless told otherwise."""

from __future__ import annotations

import json

from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.source import Source
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.contract import plan
from imagebuild.core.output import repository


def scope(build: ImageBuild, spec: ImageBuildSpec, word: str | None = None) -> str:
    """`word`: a scope of the user's instead of Dockerfile and target."""
    source = origin(build.namespace, spec.source)
    if word is not None:
        return json.dumps([source or build.namespace, word])
    context = spec.source.path if spec.source else None
    dockerfile = spec.dockerfile
    path = (dockerfile.path if dockerfile else None) or plan.Dockerfile().path
    target = dockerfile.target if dockerfile else None
    return json.dumps([source or f"{build.namespace}/{build.name}", context, path, target])


def origin(namespace: str, source: Source | None) -> str | None:
    """What stays the same from one state of the source to the next, whatever the ImageBuild is called."""
    if source is None:
        return None
    if source.git:
        return source.git.url
    if source.oci:
        return repository(source.oci.image.partition("@")[0])
    if source.http:
        return source.http.url.partition("?")[0]
    if source.volume:
        return f"volume {namespace}/{source.volume.claim_name}"
    return f"configMap {namespace}/{source.config_map.name}" if source.config_map else None
