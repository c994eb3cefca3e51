"""`spec.secrets` and `spec.ssh`: keys of Secrets as files of the build pod, and where BuildKit finds them."""

from __future__ import annotations

from collections.abc import Iterable

from imagebuild.api.spec import ImageBuildSpec
from imagebuild.contract import layout, plan
from imagebuild.core.part import Part, PlanFields, secret_volume

SSH_KEY = "ssh-privatekey"  # of the type kubernetes.io/ssh-auth
Key = tuple[str, str]
"""Of a Secret, and of a value in it."""


def build_secrets(spec: ImageBuildSpec) -> Part:
    """One volume for each Secret, with the named keys and no others."""
    secrets = {entry.id: (entry.secret_key_ref.name, entry.secret_key_ref.key) for entry in spec.secrets or ()}
    ssh = {entry.id: (entry.secret_ref.name, SSH_KEY) for entry in spec.ssh or ()}
    wanted = sorted({*secrets.values(), *ssh.values()})
    if not wanted:
        return Part()
    names = sorted({name for name, _ in wanted})
    paths = {(name, key): f"{layout.BUILD_SECRETS_DIR}/{names.index(name)}/{key}" for name, key in wanted}
    part = Part(plan=PlanFields(secret_keys=_awaited(paths, ssh.values())), args=_args(secrets, ssh, paths))
    for place, name in enumerate(names):
        items = [{"key": key, "path": key} for owner, key in wanted if owner == name]
        part += secret_volume(f"secret-{place}", f"{layout.BUILD_SECRETS_DIR}/{place}", name, items=items)
    return part


def _awaited(paths: dict[Key, str], ssh: Iterable[Key]) -> tuple[plan.SecretKey, ...]:
    private = set(ssh)
    return tuple(
        plan.SecretKey(name=name, key=key, path=path, ssh=(name, key) in private) for (name, key), path in paths.items()
    )


def _args(secrets: dict[str, Key], ssh: dict[str, Key], paths: dict[Key, str]) -> tuple[str, ...]:
    pairs = [("--secret", f"id={name},src={paths[key]}") for name, key in sorted(secrets.items())]
    pairs += [("--ssh", f"{name}={paths[key]}") for name, key in sorted(ssh.items())]
    return tuple(word for pair in pairs for word in pair)
