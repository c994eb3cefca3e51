"""From flags to an ImageBuild. Pure: what is on this machine (directories, files, the environment) comes as values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagebuild.api.names import API_VERSION, KIND

__all__ = ["Flags", "document", "merged", "name_for", "spec"]

Document = dict[str, Any]

_NAME_MAX = 50
"""Leaves room for the suffix, and for the names of the pods, which are made from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What was said on the command line, each already as the spec has it."""

    source: Mapping[str, Any] = field(default_factory=dict)
    path: str | None = None
    branch: str | None = None
    git_tag: str | None = None
    ref: str | None = None
    commit: str | None = None
    source_secret: str | None = None
    images: tuple[str, ...] = ()
    discard: bool = False
    dockerfile: str | None = None
    inline: str | None = None
    target: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[Mapping[str, Any], ...] = ()
    ssh: tuple[Mapping[str, Any], ...] = ()
    contexts: tuple[Mapping[str, Any], ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()
    if_exists: str | None = None
    provenance: str | None = None
    sbom: bool = False
    no_cache: bool = False
    no_cache_stages: tuple[str, ...] = ()
    cache_from: tuple[Mapping[str, Any], ...] = ()
    cache_to: tuple[Mapping[str, Any], ...] = ()
    registry_secrets: tuple[Mapping[str, str], ...] = ()
    archive: bool = False
    timeout: str | None = None
    ttl: str | None = None


def spec(flags: Flags, below: Mapping[str, Any]) -> Document:
    """The flags, over `below`: the spec of --spec."""
    said = {
        "source": _source(flags),
        "dockerfile": _given(path=flags.dockerfile, inline=flags.inline, target=flags.target),
        "contexts": list(flags.contexts),
        "args": dict(flags.args),
        "secrets": list(flags.secrets),
        "ssh": list(flags.ssh),
        "platforms": list(flags.platforms),
        "output": _given(
            images=list(flags.images),
            discard=flags.discard,
            ifExists=flags.if_exists,
            labels=dict(flags.labels),
            annotations=dict(flags.annotations),
            provenance=flags.provenance,
            sbom=flags.sbom,
        ),
        "cache": _given(
            **{"import": list(flags.cache_from), "export": list(flags.cache_to)},
            noCache=flags.no_cache,
            noCacheStages=list(flags.no_cache_stages),
        ),
        "registrySecrets": list(flags.registry_secrets),
        "archive": _given(enabled=flags.archive),
        "timeouts": _given(build=flags.timeout),
        "ttlAfterFinished": flags.ttl,
    }
    if flags.source:  # another kind of source than that of --spec takes its place
        below = {**below, "source": {}}
    return merged(below, _given(**said))


def _source(flags: Flags) -> Document:
    """--branch and its like beside a git URL, also one that --spec names."""
    words = _given(branch=flags.branch, tag=flags.git_tag, ref=flags.ref, commit=flags.commit)
    credentials = _given(secretRef=_given(name=flags.source_secret))
    source = {key: value for key, value in flags.source.items() if key != "path"}
    kind = next(iter(source), "git")
    inside = {**source.get(kind, {}), **words, **credentials}
    return _given(**{kind: inside}, path=flags.path or flags.source.get("path"))


def _given(**fields: Any) -> Document:
    """Without what was not said: None, False, and what is empty."""
    return {key: value for key, value in fields.items() if value}


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> Document:
    """Objects are merged, everything else is replaced."""
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        result[key] = merged(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return result


def document(spec: Mapping[str, Any], metadata: Mapping[str, Any]) -> Document:
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": dict(metadata), "spec": dict(spec)}


def name_for(spec: Mapping[str, Any], suffix: str) -> str:
    """After the first image's repository, else after the source; the suffix makes it new."""
    images = spec.get("output", {}).get("images") or []
    address = str(spec.get("source", {}).get("git", {}).get("url", ""))
    last = (images[0] if images else address.removesuffix(".git")).rpartition("/")[2]
    word = re.sub(r"[^a-z0-9]+", "-", re.split(r"[:@]", last)[0].lower()).strip("-")
    return f"{word[:_NAME_MAX].strip('-') or 'build'}-{suffix}"
