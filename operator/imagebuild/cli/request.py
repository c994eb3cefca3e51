"""The ImageBuild that a command line asks for: what `build` and `create` have in common."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from typing import Any

import click

from imagebuild.cli import options, spec
from imagebuild.cli.sources import Directory

__all__ = ["requested"]

_LETTERS = string.ascii_lowercase.translate(str.maketrans("", "", "aeiou")) + "23456789"
_SUFFIX = 5


def requested(given: Mapping[str, Any], namespace: str | None) -> spec.Document:
    """The document to create. Raises UsageError for what is missing in it."""
    source = options.read_source(given["source"])
    if isinstance(source, Directory):
        raise click.UsageError("A local directory cannot be sent yet: give a git URL.")
    metadata, below = options.read_spec(given["spec_file"])
    wanted = spec.spec(options.flags(given, source.source), below)
    output = wanted.get("output", {})
    if not output.get("images") and not output.get("discard"):
        raise click.UsageError("Say where the image goes: -t REGISTRY/REPOSITORY:TAG, or --discard to keep nothing.")
    if not wanted.get("source") and not wanted.get("dockerfile", {}).get("inline"):
        raise click.UsageError("Say what to build: a git URL, a directory, or -f - and a Dockerfile on standard input.")
    name = given["name"] or (metadata.get("name") if not given["generate_name"] else None)
    return spec.document(wanted, _metadata(metadata, name or _new_name(given["generate_name"], wanted), namespace))


def _new_name(prefix: str | None, wanted: Mapping[str, Any]) -> str:
    """Chosen here and not by the server, so that a create that is sent twice makes one build."""
    suffix = "".join(secrets.choice(_LETTERS) for _ in range(_SUFFIX))
    return f"{prefix}{suffix}" if prefix else spec.name_for(wanted, suffix)


def _metadata(written: Mapping[str, Any], name: str, namespace: str | None) -> spec.Document:
    kept = {key: written[key] for key in ("labels", "annotations") if written.get(key)}
    return {"name": name, **({"namespace": namespace} if namespace else {}), **kept}
