"""The SOURCE of a build, as buildx and Kaniko users write it: a directory, a git URL, an archive, an artifact."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import click

__all__ = ["Directory", "Remote", "read"]

_SCP = re.compile(r"^[a-zA-Z0-9_][a-zA-Z0-9_.-]*@[a-zA-Z0-9.-]+:[^-\s]")
_COMMIT = re.compile(r"^([0-9a-f]{40}|[0-9a-f]{64})$")
_ARCHIVE = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_OCI = ("oci://", "docker-image://", "oci-artifact://")


@dataclass(frozen=True, slots=True)
class Directory:
    """On this machine; it goes to the cluster as an artifact."""

    path: str


@dataclass(frozen=True, slots=True)
class Remote:
    """`spec.source`, without its credentials."""

    source: dict[str, Any]


def read(text: str, is_directory: Callable[[str], bool]) -> Directory | Remote:
    """Raises click.BadParameter with what would be right."""
    if text.startswith(_OCI):
        return Remote({"oci": {"image": text.partition("://")[2]}})
    if text.startswith(("http://", "https://")):
        _no_password(text)
        return _archive(text) if urlsplit(text).path.endswith(_ARCHIVE) else _git(text)
    if text.startswith("git://"):
        raise click.BadParameter("git:// has no encryption and is not fetched: write https:// or ssh://")
    if text.startswith("ssh://") or _SCP.match(text):
        return _git(text)
    if is_directory(text.removeprefix("dir://")):
        return Directory(text.removeprefix("dir://"))
    raise click.BadParameter(
        f"{text} is no directory, and no URL: those begin with https://, ssh://, git@host: or oci://"
    )


def _no_password(url: str) -> None:
    if "@" in urlsplit(url).netloc:
        raise click.BadParameter(
            "credentials in a URL could be read by all who see the ImageBuild: put them into a Secret, "
            "and name it with --source-secret"
        )


def _archive(url: str) -> Remote:
    address, _, fragment = url.partition("#")
    checksum = {"checksum": fragment} if fragment.startswith("sha256:") else {}
    return Remote({"http": {"url": address, **checksum}})


def _git(url: str) -> Remote:
    """As buildx reads it: URL#ref:directory."""
    address, _, fragment = url.partition("#")
    ref, _, path = fragment.partition(":")
    return Remote({"git": {"url": address, **revision(ref)}, **({"path": path} if path else {})})


def revision(ref: str) -> dict[str, str]:
    """A word that can be a commit, a full ref, or else a branch."""
    if not ref:
        return {}
    if _COMMIT.match(ref):
        return {"commit": ref}
    for prefix, key in (("refs/heads/", "branch"), ("refs/tags/", "tag")):
        if ref.startswith(prefix):
            return {key: ref.removeprefix(prefix)}
    return {"ref": ref} if ref.startswith("refs/") else {"branch": ref}
