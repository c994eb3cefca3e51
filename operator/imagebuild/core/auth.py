"""`spec.registrySecrets`: Secrets mounted by name. The operator never reads one."""

from __future__ import annotations

from imagebuild.api.spec import ImageBuildSpec
from imagebuild.contract import layout, plan
from imagebuild.core.part import Part, PlanFields, volume


def registry_secrets(spec: ImageBuildSpec) -> Part:
    named = [
        plan.RegistrySecret(
            name=reference.name, path=f"{layout.REGISTRY_SECRETS_DIR}/{place}", registry=reference.registry
        )
        for place, reference in enumerate(spec.registry_secrets or ())
    ]
    part = Part(plan=PlanFields(registry_secrets=tuple(named)))
    for place, secret in enumerate(named):
        # optional: the runner names a missing one within a second, and it is waited for: GitOps applies in any order
        source = {"secret": {"secretName": secret.name, "optional": True, "defaultMode": 0o444}}
        part += volume(f"registry-{place}", secret.path, source)
    return part
