"""Single flags, text to value: each raises click.BadParameter with what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from imagebuild.cli.sources import Directory, read

__all__ = ["build_arg", "cache", "context", "key_value", "registry_secret", "secret", "ssh"]


def key_value(text: str) -> tuple[str, str]:
    key, given, value = text.partition("=")
    if not given or not key:
        raise click.BadParameter(f"{text!r}: write NAME=VALUE")
    return key, value


def build_arg(text: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """NAME=VALUE, or NAME alone for the value that this shell has."""
    if "=" in text:
        return key_value(text)
    if text not in environ:
        raise click.BadParameter(f"{text}: write {text}=VALUE; the environment has no {text}")
    return text, environ[text]


def secret(text: str) -> dict[str, Any]:
    """id=ID,secret=NAME[,key=KEY]: values stay in the cluster."""
    given = _pairs(text)
    if moved := sorted({"src", "source", "env"} & set(given)):
        name = given.get("id", "npm")
        raise click.BadParameter(
            f"{moved[0]}= would take the value from this machine; it belongs into a Secret of the build's namespace: "
            f"kubectl create secret generic {name} --from-file={name}=FILE, then --secret id={name},secret={name}"
        )
    _only(given, {"id", "secret", "key", "type"}, "id=ID,secret=NAME,key=KEY")
    if not {"id", "secret"} <= set(given):
        raise click.BadParameter(f"{text!r}: write id=ID,secret=NAME,key=KEY; the key is the id where none is given")
    return {"id": given["id"], "secretKeyRef": {"name": given["secret"], "key": given.get("key", given["id"])}}


def ssh(text: str) -> dict[str, Any]:
    """ID=SECRET: there is no agent in the cluster."""
    key, given, name = text.partition("=")
    if not given or not name or "/" in name:
        raise click.BadParameter(
            f"{text!r}: name a Secret of type kubernetes.io/ssh-auth, such as default=deploy-key; "
            "agents and files of this machine are not reached from the cluster"
        )
    return {"id": key, "secretRef": {"name": name}}


def registry_secret(text: str) -> dict[str, str]:
    """NAME, or NAME=REGISTRY for a Secret of type basic-auth."""
    name, _, registry = text.partition("=")
    return {"name": name, **({"registry": registry} if registry else {})}


def context(text: str) -> dict[str, Any]:
    """NAME=VALUE of --build-context: a directory of the source, an image, a git URL, an archive."""
    name, value = key_value(text)
    if value.startswith("docker-image://"):
        return {"name": name, "image": value.removeprefix("docker-image://")}
    if "://" not in value and "@" not in value:
        return {"name": name, "path": value.removeprefix("./")}
    found = read(value, lambda _: False)
    assert not isinstance(found, Directory)
    return {"name": name, **found.source}


def cache(text: str) -> dict[str, Any]:
    """Of --cache-from and --cache-to: a reference, or type=registry,ref=…; type=inline."""
    given = _pairs(text) if "=" in text else {"type": "registry", "ref": text}
    match given.get("type"):
        case "registry" if given.get("ref"):
            mode = {"mode": given["mode"].capitalize()} if "mode" in given else {}
            return {"registry": {"ref": given["ref"]}, **mode}
        case "inline":
            return {"inline": {}}
        case kind:
            raise click.BadParameter(
                f"{text!r}: write type=registry,ref=REGISTRY/REPOSITORY:TAG or type=inline; "
                f"{kind or 'others'} can be said in a file for --spec (cache.import, cache.export)"
            )


def _pairs(text: str) -> dict[str, str]:
    return dict(key_value(part.strip()) for part in text.split(","))


def _only(given: Mapping[str, str], known: set[str], form: str) -> None:
    if unknown := sorted(set(given) - known):
        raise click.BadParameter(f"there is no {unknown[0]}=: write {form}")
