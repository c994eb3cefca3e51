"""`spec.registrySecrets`: mounted by name, in their order, and allowed to be missing."""

from __future__ import annotations

from imagebuild.api.spec import ImageBuildSpec
from imagebuild.contract.plan import RegistrySecret
from imagebuild.core.auth import registry_secrets


def test_each_secret_is_a_directory_that_may_stay_empty_and_readable_by_an_ordinary_user() -> None:
    spec = ImageBuildSpec.model_validate(
        {"output": {"discard": True}, "registrySecrets": [{"name": "pull"}, {"name": "push"}]}
    )
    part = registry_secrets(spec)
    mounts = (
        RegistrySecret(name="pull", path="/run/imagebuild/registry/0"),
        RegistrySecret(name="push", path="/run/imagebuild/registry/1"),
    )
    assert part.plan == {"registry_secrets": mounts}
    assert part.volumes == (
        {"name": "registry-0", "secret": {"secretName": "pull", "optional": True, "defaultMode": 0o444}},
        {"name": "registry-1", "secret": {"secretName": "push", "optional": True, "defaultMode": 0o444}},
    )
    assert [(mount["mountPath"], mount["readOnly"]) for mount in part.mounts] == [(m.path, True) for m in mounts]


def test_a_service_account_that_is_named_is_asked_for_its_identity() -> None:
    spec = ImageBuildSpec.model_validate({"output": {"discard": True}, "pod": {"serviceAccountName": "ecr-push"}})
    assert registry_secrets(spec).plan["service_account"] == "ecr-push"


def test_no_secret_is_no_volume() -> None:
    assert registry_secrets(ImageBuildSpec.model_validate({"output": {"discard": True}})).volumes == ()
