"""What of the job's own logins crosses into the build's namespace: nothing where Secrets or a cloud identity are named
there, else the job's token, in immutable Secrets that the ImageBuild owns. Pure.

They belong to the ImageBuild, and that to the job's pod: whatever ends the job, nothing of it stays, and nobody needs
the right to delete Secrets.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import click

from imagebuild.api.names import API_VERSION, KIND
from imagebuild.cli.ci.facts import Facts, Login

__all__ = ["git_login", "owned", "read", "registry_auths", "secrets", "with_secrets"]

Document = dict[str, Any]
Auths = Mapping[str, Any]
"""Of a docker config.json."""


def git_login(spec: Mapping[str, Any], facts: Facts) -> Login | None:
    git = spec.get("source", {}).get("git", {})
    if facts.git is None or git.get("secretRef") or not git.get("url", "").startswith("http"):
        return None
    return facts.git if urlsplit(git["url"]).netloc == facts.git.host else None


def registry_auths(spec: Mapping[str, Any], facts: Facts) -> Auths:
    """Of the system's own registries, if an image goes to one of them, or none anywhere."""
    if spec.get("registrySecrets") or spec.get("pod", {}).get("serviceAccountName"):
        return {}
    hosts = {image.partition("/")[0] for image in spec.get("output", {}).get("images", ())}
    if hosts and hosts.isdisjoint(login.host for login in facts.registries):
        return {}
    return auths(facts.registries)


def auths(logins: Sequence[Login]) -> Auths:
    pairs = ((login.host, f"{login.username}:{login.password}") for login in logins)
    return {host: {"auth": base64.b64encode(pair.encode()).decode()} for host, pair in pairs}


def read(config: str) -> Auths:
    """The logins in a docker config.json. Those of helpers are not in it, and stay where they are."""
    try:
        found = json.loads(config).get("auths", {}).items()
    except (ValueError, AttributeError) as error:
        raise click.BadParameter("is no docker config.json", param_hint="'--registry-login'") from error
    with_values = {host: entry for host, entry in found if entry}
    if not with_values:
        raise click.BadParameter(
            "has no logins in it: `docker login` without credsStore and credHelpers writes them there",
            param_hint="'--registry-login'",
        )
    return with_values


def secrets(name: str, git: Login | None, registries: Auths) -> list[Document]:
    """For the ImageBuild of this name; they have its owner reference once it is known."""
    found = []
    if git:
        data = {"username": git.username, "password": git.password}
        found.append(_secret(f"{name}-git", "kubernetes.io/basic-auth", data))
    if registries:
        config = json.dumps({"auths": registries})
        found.append(_secret(f"{name}-registry", "kubernetes.io/dockerconfigjson", {".dockerconfigjson": config}))
    return found


def _secret(name: str, kind: str, data: Mapping[str, str]) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "type": kind,
        "immutable": True,
        "stringData": dict(data),
    }


def with_secrets(spec: Mapping[str, Any], made: Sequence[Document]) -> Document:
    """The spec that names them."""
    result = dict(spec)
    for name in (each["metadata"]["name"] for each in made):
        if name.endswith("-git"):
            source = result["source"]
            result["source"] = {**source, "git": {**source["git"], "secretRef": {"name": name}}}
        else:
            result["registrySecrets"] = [*result.get("registrySecrets", ()), {"name": name}]
    return result


def owned(secret: Document, build: Mapping[str, Any]) -> Document:
    """By the ImageBuild."""
    owner = {"apiVersion": API_VERSION, "kind": KIND, **{key: build["metadata"][key] for key in ("name", "uid")}}
    return {**secret, "metadata": {**secret["metadata"], "ownerReferences": [owner]}}
