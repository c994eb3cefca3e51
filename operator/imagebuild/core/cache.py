"""`spec.cache.branch`: the registry cache with one ref per branch. On by default wherever an image is pushed."""

from __future__ import annotations

from imagebuild.api.cache import BranchCache, Cache
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.contract import plan
from imagebuild.core.cachebackends import backends
from imagebuild.core.cachevolume import volume_of
from imagebuild.core.output import repository
from imagebuild.core.part import Part, PlanFields
from imagebuild.core.scope import scope


def cache(build: ImageBuild, spec: ImageBuildSpec) -> Part:
    found = branch_cache(build, spec)
    branch = Part(plan=PlanFields(cache=found)) if found else Part()
    given = spec.cache or Cache()
    return branch + backends(given) + volume_of(build, spec)


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
        scope=scope(build, spec, given.scope) + "".join([*(spec.platforms or ()), *([asked.type] if asked else [])]),
        base=given.base,
        compression=asked.type.lower() if asked else "zstd",
        imports=imports,
        export=export,
    )
