"""Registry Secrets, as mounted, merged into the one docker configuration that buildctl reads.

buildctl looks for credentials by host alone and keeps them, so there is one login per registry and build. Where Secrets
have several for paths of one host, the one that fits closest what the build pushes is taken.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from imagebuild.contract.plan import RegistrySecret
from imagebuild.contract.reasons import Reason
from imagebuild.runner.problem import Problem
from imagebuild.runner.process import say

__all__ = ["Logins", "by_token", "login", "merge", "write"]

Entry = Mapping[str, str]
Place = tuple[str, str]
"""Host, and path within it: empty for all of it."""
Logins = Mapping[str, Entry]
"""The `auths` of a docker configuration: registry → its entry."""

_KEYS = (".dockerconfigjson", "config.json", ".dockercfg")
_BASIC = {"username", "password"}
_TOKENS = {"identitytoken", "registrytoken"}
_DOCKER_HUB = "https://index.docker.io/v1/"
_HUB_HOSTS = {"docker.io", "index.docker.io", "registry-1.docker.io"}


def merge(secrets: Iterable[RegistrySecret], pushed: Iterable[Place] = ()) -> Logins:
    """One login per registry: the closest to the repositories that are pushed, of equally close ones the last one.
    Raises Problem for a Secret that is missing or cannot be read, and where one login is not enough."""
    found: dict[Place, Entry] = {}
    for secret in secrets:
        found |= _logins(secret)
    hosts, repositories = dict.fromkeys(host for host, _ in found), list(pushed)
    return {_key(host): _chosen(host, found, [path for at, path in repositories if at == host]) for host in hosts}


def write(logins: Logins, directory: Path, helpers: Mapping[str, str] | None = None) -> None:
    """config.json for DOCKER_CONFIG, readable by this user alone. `helpers`: by host, the programs that know it."""
    directory.mkdir(mode=0o700, exist_ok=True)
    file = directory / "config.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"auths": logins, **({"credHelpers": helpers} if helpers else {})}))


def login(logins: Logins, host: str) -> str | None:
    """`user:password` for a registry host, or None."""
    entry = _entry(logins, host)
    if entry.get("auth"):
        return base64.b64decode(entry["auth"]).decode()
    return f"{entry['username']}:{entry.get('password', '')}" if entry.get("username") else None


def by_token(logins: Logins, host: str) -> Entry:
    """`identitytoken`, which a token server trades for another one, or `registrytoken`, which is such another one. Its
    password is then none. Empty for any other login."""
    return {key: value for key, value in _entry(logins, host).items() if key in _TOKENS and value}


def _entry(logins: Logins, host: str) -> Entry:
    wanted = _place(host)[0]
    return next((entry for registry, entry in logins.items() if _place(registry)[0] == wanted), {})


def _chosen(host: str, found: Mapping[Place, Entry], pushed: list[str]) -> Entry:
    paths = [path for at, path in found if at == host]
    closest = {
        path: max(fitting, key=len) for path in pushed if (fitting := [each for each in paths if _within(path, each)])
    }
    entries = {json.dumps(found[host, path], sort_keys=True): path for path in closest.values()}
    if len(entries) > 1:
        named = " and ".join(f"{host}/{path}" for path in sorted(closest))
        raise Problem(
            Reason.SPEC_INVALID,
            f"registrySecrets have different credentials for {named}, and BuildKit logs in once per registry: "
            "push them in two ImageBuilds, or with one login for both",
        )
    path = next(iter(entries.values()), "" if "" in paths else paths[-1])
    if len(paths) > 1:
        say(f"of the credentials for {host} those for {f'{host}/{path}'.rstrip('/')} are used")
    return found[host, path]


def _within(path: str, whole: str) -> bool:
    return not whole or path == whole or path.startswith(f"{whole}/")


def _logins(secret: RegistrySecret) -> dict[Place, Entry]:
    directory = Path(secret.path)
    names = (
        sorted(file.name for file in directory.iterdir() if not file.name.startswith(".."))
        if directory.is_dir()
        else []
    )
    if not names:
        raise Problem(Reason.SECRET_MISSING, f"the Secret {secret.name} does not exist (named in registrySecrets)")
    key = next((name for name in _KEYS if name in names), None)
    if key is not None:
        found = _configured(secret, key)
    elif set(names) >= _BASIC:
        found = _basic(secret)
    else:
        raise Problem(
            Reason.REGISTRY_UNAUTHORIZED,
            f"the Secret {secret.name} has the keys {', '.join(names)}, but neither .dockerconfigjson nor username "
            "and password: make it with `kubectl create secret docker-registry`",
        )
    say(f"Secret {secret.name}: credentials for {', '.join(sorted('/'.join(filter(None, at)) for at in found))}")
    return found


def _configured(secret: RegistrySecret, key: str) -> dict[Place, Entry]:
    try:
        document = json.loads((Path(secret.path) / key).read_text())
        auths = document if key == ".dockercfg" else document.get("auths", {})
        found = {_place(registry): _checked(entry) for registry, entry in auths.items()}
    except (ValueError, TypeError, AttributeError) as error:
        # never the content: it is a password
        raise Problem(
            Reason.REGISTRY_UNAUTHORIZED, f"{key} in the Secret {secret.name} is not a docker configuration"
        ) from error
    if not found:
        raise Problem(
            Reason.REGISTRY_UNAUTHORIZED,
            f"{key} in the Secret {secret.name} has no auths, and credential helpers named in Secrets are not used: "
            "for registries of clouds give pod.serviceAccountName",
        )
    return found


def _basic(secret: RegistrySecret) -> dict[Place, Entry]:
    if not secret.registry:
        raise Problem(
            Reason.SPEC_INVALID,
            f"the Secret {secret.name} has a user name and a password, but not for which registry: "
            "give registrySecrets[].registry",
        )
    user, password = ((Path(secret.path) / name).read_bytes().rstrip(b"\r\n") for name in ("username", "password"))
    return {_place(secret.registry): {"auth": base64.b64encode(user + b":" + password).decode()}}


def _checked(entry: Mapping[str, object]) -> Entry:
    """buildctl refuses the whole file for one entry that it cannot read, and says nothing of which."""
    texts = {key: value for key, value in entry.items() if isinstance(value, str)}
    if len(texts) != len(entry) or ":" not in base64.b64decode(texts.get("auth") or "Og==", validate=True).decode():
        raise ValueError
    return texts


def _place(registry: str) -> Place:
    """Of a key of `auths`, or of a repository. The paths of the APIs, /v1/ and /v2/, are all of the registry."""
    host, _, path = registry.removeprefix("https://").removeprefix("http://").strip("/").partition("/")
    return ("docker.io" if host in _HUB_HOSTS else host), ("" if path in ("v1", "v2") else path)


def _key(host: str) -> str:
    """As buildctl looks for it."""
    return _DOCKER_HUB if host == "docker.io" else host
