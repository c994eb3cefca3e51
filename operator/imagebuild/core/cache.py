"""`spec.cache.branch`: the registry cache with one ref per branch. On by default wherever an image is pushed."""

from __future__ import annotations

import json

from imagebuild.api.cache import BranchCache, Cache
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.contract import plan
from imagebuild.core.cachebackends import backends, volume_of
from imagebuild.core.output import repository
from imagebuild.core.part import Part, PlanFields


def cache(build: ImageBuild, spec: ImageBuildSpec) -> Part:
    found = branch_cache(build, spec)
    branch = Part(plan=PlanFields(cache=found)) if found else Part()
    given = spec.cache or Cache()
    return branch + backends(given) + volume_of(given)


def branch_cache(build: ImageBuild, spec: ImageBuildSpec) -> plan.BranchCache | None:
    """None where there is nowhere to keep it, or nothing to do with it."""
    whole = spec.cache or Cache()
    if whole.branch is None and (whole.imports or whole.exports):
        return None
    given = whole.branch or BranchCache()
    where = given.repository or next((repository(image) for image in spec.output.images or ()), None)
    imports = given.imports or plan.CacheImport.CURRENT_ELSE_BASE
    export = given.export or plan.CacheExport.ALWAYS
    if where is None or (imports is plan.CacheImport.NONE and export is plan.CacheExport.NEVER):
        return None
    asked = spec.output.compression
    return plan.BranchCache(
        repository=where,
        scope=_scope(build, spec, given) + "".join([*(spec.platforms or ()), *([asked.type] if asked else [])]),
        base=given.base,
        compression=asked.type.lower() if asked else "zstd",
        imports=imports,
        export=export,
    )


def _scope(build: ImageBuild, spec: ImageBuildSpec, given: BranchCache) -> str:
    """Who may share a cache ref: builds of one source, and of the same Dockerfile and target unless told otherwise."""
    git = spec.source.git if spec.source else None
    origin = git.url if git else f"{build.namespace}/{build.name}"
    if given.scope is not None:
        return json.dumps([origin, given.scope])
    context = spec.source.path if spec.source else None
    dockerfile = spec.dockerfile
    path = (dockerfile.path if dockerfile else None) or plan.Dockerfile().path
    return json.dumps([origin, context, path, dockerfile.target if dockerfile else None])
