"""Who may pull and push: `spec.registrySecrets`, mounted by name and never read by the operator, or else the identity
that a cloud gives to `spec.pod.serviceAccountName`, of which the runner only has to know that it was asked for."""

from __future__ import annotations

from imagebuild.api.spec import ImageBuildSpec
from imagebuild.contract import layout, plan
from imagebuild.core.part import Part, PlanFields, secret_volume


def registry_secrets(spec: ImageBuildSpec) -> Part:
    named = [
        plan.RegistrySecret(
            name=reference.name, path=f"{layout.REGISTRY_SECRETS_DIR}/{place}", registry=reference.registry
        )
        for place, reference in enumerate(spec.registry_secrets or ())
    ]
    part = Part(plan=PlanFields(registry_secrets=tuple(named)))
    if spec.pod and spec.pod.service_account_name:
        part += Part(plan=PlanFields(service_account=spec.pod.service_account_name))
    for place, secret in enumerate(named):
        part += secret_volume(f"registry-{place}", secret.path, secret.name)
    return part
