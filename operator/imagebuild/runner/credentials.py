"""Registry Secrets, as mounted, merged into the one docker configuration that buildctl reads."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from imagebuild.contract.plan import Mount
from imagebuild.contract.reasons import Reason
from imagebuild.runner.problem import Problem
from imagebuild.runner.process import say

__all__ = ["Logins", "login", "merge", "write"]

Logins = Mapping[str, Mapping[str, str]]
"""The `auths` of a docker configuration: registry → its entry."""

_KEYS = (".dockerconfigjson", "config.json", ".dockercfg")
_DOCKER_HUB = "https://index.docker.io/v1/"
_HUB_NAMES = {"docker.io", "index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1", _DOCKER_HUB}


def merge(secrets: Iterable[Mount]) -> Logins:
    """In order; the last one wins for a registry. Raises Problem for one that is missing or cannot be read."""
    merged: dict[str, Mapping[str, str]] = {}
    for secret in secrets:
        merged |= _logins(secret)
    return merged


def write(logins: Logins, directory: Path) -> None:
    """config.json for DOCKER_CONFIG, readable by this user alone."""
    directory.mkdir(mode=0o700, exist_ok=True)
    file = directory / "config.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"auths": logins}))


def login(logins: Logins, host: str) -> str | None:
    """`user:password` for a registry host, or None."""
    wanted = _host(_hub(host))
    entry = next((entry for registry, entry in logins.items() if _host(registry) == wanted), {})
    if entry.get("auth"):
        return base64.b64decode(entry["auth"]).decode()
    return f"{entry['username']}:{entry.get('password', '')}" if entry.get("username") else None


def _logins(secret: Mount) -> dict[str, Mapping[str, str]]:
    directory = Path(secret.path)
    names = (
        sorted(file.name for file in directory.iterdir() if not file.name.startswith(".."))
        if directory.is_dir()
        else []
    )
    if not names:
        raise Problem(Reason.SECRET_MISSING, f"the Secret {secret.name} does not exist (named in registrySecrets)")
    key = next((name for name in _KEYS if name in names), None)
    if key is None:
        raise Problem(
            Reason.REGISTRY_UNAUTHORIZED,
            f"the Secret {secret.name} has the keys {', '.join(names)}, but no .dockerconfigjson: "
            "make it with `kubectl create secret docker-registry`",
        )
    try:
        document = json.loads((directory / key).read_text())
        auths = document if key == ".dockercfg" else document.get("auths", {})
        found: dict[str, Mapping[str, str]] = {_hub(registry): _checked(entry) for registry, entry in auths.items()}
    except (ValueError, TypeError, AttributeError) as error:
        # never the content: it is a password
        raise Problem(
            Reason.REGISTRY_UNAUTHORIZED, f"{key} in the Secret {secret.name} is not a docker configuration"
        ) from error
    if not found:
        raise Problem(
            Reason.REGISTRY_UNAUTHORIZED,
            f"{key} in the Secret {secret.name} has no auths: credential helpers cannot run in a build pod",
        )
    say(f"Secret {secret.name}: credentials for {', '.join(sorted(found))}")
    return found


def _checked(entry: Mapping[str, object]) -> Mapping[str, str]:
    """buildctl refuses the whole file for one entry that it cannot read, and says nothing of which."""
    texts = {key: value for key, value in entry.items() if isinstance(value, str)}
    if len(texts) != len(entry) or ":" not in base64.b64decode(texts.get("auth") or "Og==", validate=True).decode():
        raise ValueError
    return texts


def _hub(registry: str) -> str:
    return _DOCKER_HUB if registry in _HUB_NAMES else registry


def _host(registry: str) -> str:
    """As BuildKit compares: without scheme and path."""
    return registry.removeprefix("https://").removeprefix("http://").partition("/")[0]
