"""The user's own login to a registry, from where `docker login` and `podman login` keep it."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebuild.cli.upload.problem import UploadError

__all__ = ["Login", "find_login", "login_files"]

_HUB = "https://index.docker.io/v1/"
_HUB_NAMES = {"docker.io", "index.docker.io", "registry-1.docker.io"}
_HELPER_SECONDS = 60
_TOKEN_USER = "<token>"  # how a helper says that the secret is an identity token


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Login:
    """Nothing given: nobody has logged in. No text of it is ever shown."""

    user: str = ""
    password: str = ""
    identity_token: str = ""
    """What the registry's token server gives tokens for."""
    registry_token: str = ""
    """What the registry itself takes."""


def login_files(environ: Mapping[str, str], home: Path) -> list[Path]:
    """Docker's, then podman's; one that is named by a variable comes before those that are only in their place."""
    named = [Path(environ["DOCKER_CONFIG"], "config.json")] if environ.get("DOCKER_CONFIG") else []
    named += [Path(environ["REGISTRY_AUTH_FILE"])] if environ.get("REGISTRY_AUTH_FILE") else []
    runtime = [Path(environ["XDG_RUNTIME_DIR"], "containers/auth.json")] if environ.get("XDG_RUNTIME_DIR") else []
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "containers/auth.json")
    return [*named, home / ".docker/config.json", *runtime, config]


def find_login(host: str, repository: str, files: list[Path], environ: Mapping[str, str]) -> Login:
    """The first of the files that knows one. Raises UploadError for a file or a helper that does not work."""
    for file in files:
        found = _in_file(_read(file), host, repository, file, environ)
        if found is not None:
            return found
    return Login()


def _read(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UploadError(f"{file} cannot be read ({error.strerror}): make it readable, or log in again") from error
    except ValueError as error:
        raise UploadError(f"{file} is no JSON: correct it, or move it away and log in again") from error
    if not isinstance(document, dict):
        raise UploadError(f"{file} is no JSON object: correct it, or move it away and log in again")
    return document


def _in_file(
    document: dict[str, Any], host: str, repository: str, file: Path, environ: Mapping[str, str]
) -> Login | None:
    helpers, auths = document.get("credHelpers") or {}, document.get("auths") or {}
    server = _HUB if host in _HUB_NAMES else host
    helper = next((helpers[name] for name in _hosts(host) if name in helpers), document.get("credsStore"))
    found = _ask(str(helper), server, environ) if helper else None
    if found is not None:
        return found
    places = {_place(name): entry for name, entry in auths.items() if isinstance(entry, dict)}
    for place in _places(host, repository):
        if places.get(place):
            return _entry(places[place], f"{file}: the login for {place}")
    return None


def _hosts(host: str) -> list[str]:
    return [_HUB, *sorted(_HUB_NAMES)] if host in _HUB_NAMES else [host, f"https://{host}"]


def _place(name: str) -> str:
    """A key of `auths` as host and path; /v1/ and /v2/ are the API's, and of the whole registry."""
    host, _, path = name.removeprefix("https://").removeprefix("http://").strip("/").partition("/")
    host = "docker.io" if host in _HUB_NAMES else host
    return host if path in ("", "v1", "v2") else f"{host}/{path}"


def _places(host: str, repository: str) -> Iterator[str]:
    """The closest first: podman has logins for a part of a registry, too."""
    words = ["docker.io" if host in _HUB_NAMES else host, *repository.split("/")]
    for count in range(len(words), 0, -1):
        yield "/".join(words[:count])


def _entry(entry: dict[str, Any], what: str) -> Login:
    try:
        pair = base64.b64decode("".join(str(entry.get("auth") or "").split()), validate=True).decode()
    except ValueError as error:
        raise UploadError(f"{what} cannot be read: log in again") from error
    user, _, password = pair.partition(":")
    return Login(
        user=str(entry.get("username") or user),
        password=str(entry.get("password") or password.rstrip("\0")),
        identity_token=str(entry.get("identitytoken") or ""),
        registry_token=str(entry.get("registrytoken") or ""),
    )


def _ask(helper: str, server: str, environ: Mapping[str, str]) -> Login | None:
    """None: it knows of none."""
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, "get"],
            input=server,
            capture_output=True,
            text=True,
            timeout=_HELPER_SECONDS,
            check=False,
            env=dict(environ),
        )
        if done.returncode:
            if "credentials not found" in done.stdout:
                return None
            said = (done.stderr or done.stdout).strip()[:200]
            raise UploadError(f"{program}, which keeps the login for {server}, fails ({said}): log in again")
        document = json.loads(done.stdout)
        user, secret = document["Username"], document["Secret"]
    except OSError as error:
        raise UploadError(f"{program}, which keeps the login for {server}, cannot be started: install it") from error
    except subprocess.TimeoutExpired as error:
        raise UploadError(f"{program} has not answered within {_HELPER_SECONDS} s: try it on its own") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UploadError(f"{program} answers with something else than a login: update it, or log in again") from error
    if not secret:
        return None
    return Login(identity_token=secret) if user == _TOKEN_USER else Login(user=user, password=secret)
