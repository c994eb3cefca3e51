"""Builds that are not trusted: what they get instead of what they would, and what they ask for in vain.

What can be lowered without anybody missing it is lowered (`lowered`); what somebody has asked for by name is refused
(`distrusted`), so that nobody takes a build for one that it is not.
"""

from __future__ import annotations

from collections.abc import Iterator

from imagebuild.api import names
from imagebuild.api.cache import BranchCache, Cache
from imagebuild.api.config import Frontends, Isolation, OperatorConfig
from imagebuild.api.pod import PodSettings
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.tracing import TracingConfig
from imagebuild.api.trust import Trust
from imagebuild.contract.plan import CacheExport
from imagebuild.core.isolation import isolation
from imagebuild.core.part import Manifest
from imagebuild.core.policy import policy


def trust(spec: ImageBuildSpec, config: OperatorConfig) -> Trust:
    """`config`: as in force in the namespace. A spec lowers it and never raises it."""
    return Trust.UNTRUSTED if spec.trust else config.trust


def lowered(spec: ImageBuildSpec, config: OperatorConfig) -> tuple[ImageBuildSpec, OperatorConfig]:
    """Both as they are in force for the build. Of what this gives it gives the same."""
    if trust(spec, config) is Trust.TRUSTED:
        return spec, config
    ours = {"trust": Trust.UNTRUSTED, "frontends": Frontends(allowed=()), "tracing": TracingConfig()}
    return spec.model_copy(update={"cache": _read_only(spec.cache)}), config.model_copy(update=ours)


def labels(config: OperatorConfig) -> dict[str, str]:
    """Of the pod: by this one a NetworkPolicy knows it. `config`: as `lowered` gives it."""
    return {names.LABEL_TRUST: names.UNTRUSTED} if config.trust is Trust.UNTRUSTED else {}


def runtime_class(config: OperatorConfig) -> Manifest:
    """A field of the pod's spec. `config`: as `lowered` gives it."""
    name = config.untrusted.runtime_class_name
    return {"runtimeClassName": name} if name and config.trust is Trust.UNTRUSTED else {}


def distrusted(spec: ImageBuildSpec, config: OperatorConfig, namespace: str) -> str:
    """What a build that is not trusted asks for, or needs, and does not get; empty where there is nothing."""
    if trust(spec, config) is Trust.TRUSTED:
        return ""
    why, way_out = _said_by(config, namespace)
    mode = isolation(config, namespace)
    if mode is not Isolation.USERNS:
        needs = f"a build that is Untrusted ({why}) needs Userns, and {mode} is in force here"
        return f"isolation: {needs}: the administrator sets {_place_of_isolation(config, namespace)}"
    if config.seccomp_unconfined:
        needs = f"a build that is Untrusted ({why}) needs a seccomp profile"
        return f"seccompUnconfined: {needs}: the administrator takes that out of the operator's configuration"
    for field, gets in _asked(spec, config):
        return f"{field}: a build that is Untrusted ({why}) {gets}: leave it out, or {way_out}"
    return ""


def _said_by(config: OperatorConfig, namespace: str) -> tuple[str, str]:
    """Which setting says that it is not trusted, and how it would be."""
    if config.trust is Trust.TRUSTED:
        return "spec.trust", "build without spec.trust what you trust"
    found = policy(config, namespace)
    place = f"namespaces[{found.match}].trust" if found and found.trust else "trust"
    return place, "build in another namespace what the administrator trusts"


def _place_of_isolation(config: OperatorConfig, namespace: str) -> str:
    found = policy(config, namespace)
    if found:
        return f"namespaces[{found.match}].isolation to Userns"
    return f"isolation to Userns, for all namespaces or by {{match: {namespace}, isolation: Userns}} in namespaces"


def _asked(spec: ImageBuildSpec, config: OperatorConfig) -> Iterator[tuple[str, str]]:
    """Field, and what is so instead."""
    settings = spec.pod or PodSettings()
    if spec.dockerfile and spec.dockerfile.frontend:
        yield "spec.dockerfile.frontend", "is read by BuildKit's own frontend"
    for field, asked in (("secrets", spec.secrets), ("ssh", spec.ssh)):
        if asked:
            yield f"spec.{field}", "gets none"
    if spec.source and spec.source.volume:
        yield "spec.source.volume", "reads no claim, which may be the cache of another"
    if settings.service_account_name:
        yield "spec.pod.serviceAccountName", "has no identity"
    only = config.untrusted.runtime_class_name
    if only and settings.runtime_class_name not in (None, only):
        yield "spec.pod.runtimeClassName", f"runs in {only} (untrusted.runtimeClassName)"
    yield from _of_cache(spec.cache or Cache())


def _of_cache(cache: Cache) -> Iterator[tuple[str, str]]:
    if cache.branch and cache.branch.export not in (None, CacheExport.NEVER):
        yield "spec.cache.branch.export", "writes no cache"
    if cache.exports:
        yield "spec.cache.export", "writes no cache"
    if cache.volume:
        yield "spec.cache.volume", "gets no volume for a cache"
    if any(each.local for each in cache.imports or ()):
        yield "spec.cache.import.local", "gets no volume for a cache"


def _read_only(cache: Cache | None) -> Cache | None:
    given = cache or Cache()
    if given.branch is None and (given.imports or given.exports):
        return cache  # it has no branch cache, and naming one here would turn it on
    branch = (given.branch or BranchCache()).model_copy(update={"export": CacheExport.NEVER})
    return given.model_copy(update={"branch": branch})
