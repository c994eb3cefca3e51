"""`Part`: what one concern of the spec adds to a build pod. pod.py adds them up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypedDict

from imagebuild.contract import plan
from imagebuild.contract.spans import Tracing

Manifest = dict[str, Any]
"""A Kubernetes document, or a piece of one, as the YAML it becomes."""


class PlanFields(TypedDict, total=False):
    """The fields of the plan that a part may set; each is set by one part only."""

    git: plan.GitSource
    http: plan.HttpSource
    oci: plan.OciSource
    volume: plan.Mount
    contexts: tuple[plan.Context, ...]
    directory: plan.Mount
    path: str
    dockerfile: plan.Dockerfile
    platform: str
    output: plan.Output
    cache: plan.BranchCache
    cache_imports: plan.CacheImports
    cache_exports: tuple[str, ...]
    claims: tuple[plan.Mount, ...]
    cache_volume: plan.Mount
    s3_credentials: plan.Mount
    registry_secrets: tuple[plan.RegistrySecret, ...]
    service_account: str
    secret_keys: tuple[plan.SecretKey, ...]
    proxy: plan.Proxy
    registries: tuple[plan.Registry, ...]
    archive: plan.Archive
    tracing: Tracing


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    plan: PlanFields = field(default_factory=PlanFields)
    args: tuple[str, ...] = ()
    """Arguments of `buildctl build`."""
    mounts: tuple[Manifest, ...] = ()
    volumes: tuple[Manifest, ...] = ()

    def __add__(self, other: Part) -> Part:
        return Part(
            plan={**self.plan, **other.plan},
            args=self.args + other.args,
            mounts=self.mounts + other.mounts,
            volumes=self.volumes + other.volumes,
        )


def secret_volume(name: str, path: str, secret: str, **more: Any) -> Part:
    """A Secret of the build's namespace. Optional: the pod starts without it, too, and the runner names a missing one
    within a second; it is waited for, because GitOps applies in any order."""
    return volume(name, path, {"secret": {"secretName": secret, "optional": True, "defaultMode": 0o444, **more}})


def volume(name: str, path: str, source: Manifest) -> Part:
    """A volume of the pod, mounted read-only."""
    return Part(volumes=({"name": name, **source},), mounts=({"name": name, "mountPath": path, "readOnly": True},))
