"""The registries of the administrator's configuration: how they are reached, and the client certificates they want."""

from __future__ import annotations

from collections.abc import Mapping

from imagebuild.api.config import OperatorConfig, RegistryConfig
from imagebuild.contract import layout, plan
from imagebuild.core.part import Part, PlanFields, secret_volume


def registries(config: OperatorConfig) -> Part:
    named = sorted({entry.client_certificate.name for entry in config.registries if entry.client_certificate})
    mounts = {
        name: plan.Mount(name=name, path=f"{layout.CLIENT_CERTIFICATES_DIR}/{place}")
        for place, name in enumerate(named)
    }
    part = Part(plan=PlanFields(registries=tuple(_registry(entry, mounts) for entry in config.registries)))
    for place, (name, mount) in enumerate(mounts.items()):
        # a namespace whose builds never ask such a registry does without
        part += secret_volume(f"client-certificate-{place}", mount.path, name)
    return part


def _registry(entry: RegistryConfig, mounts: Mapping[str, plan.Mount]) -> plan.Registry:
    return plan.Registry(
        host=entry.host,
        http=entry.http,
        insecure=entry.insecure,
        mirrors=entry.mirrors,
        client_certificate=mounts[entry.client_certificate.name] if entry.client_certificate else None,
    )
