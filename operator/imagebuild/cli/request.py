"""The ImageBuild that a command line asks for: what `build` and `create` have in common."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from imagebuild.cli import directory, options, spec
from imagebuild.cli.directory import Send
from imagebuild.cli.files import read_text
from imagebuild.cli.sources import Directory

__all__ = ["requested"]

_LETTERS = string.ascii_lowercase.translate(str.maketrans("", "", "aeiou")) + "23456789"
_SUFFIX = 5


def requested(given: Mapping[str, Any], namespace: str | None, send: Send) -> spec.Document:
    """The document to create, after its source was sent where that is a directory. Raises UsageError for what is
    missing in it.
    """
    source = options.read_source(given["source"])
    metadata, below = options.read_spec(given["spec_file"])
    if isinstance(source, Directory):
        wanted = _of_directory(Path(source.path), given, below, send)
    else:
        wanted = spec.spec(options.flags(_file_alone(given), source.source), below)
    _check(wanted)
    name = given["name"] or (metadata.get("name") if not given["generate_name"] else None)
    return spec.document(wanted, _metadata(metadata, name or _new_name(given["generate_name"], wanted), namespace))


def _file_alone(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without a SOURCE, -f can be a file of this machine: it goes along, with no context."""
    file = given["file"]
    if given["source"] or given["spec_file"] or file in (None, "-"):
        return given
    if not Path(file).is_file():
        raise click.BadParameter(f"there is no file {file}, and no SOURCE that could have it", param_hint="'--file'")
    return {**given, "file": None, "inline": read_text(file, "'--file'")}


def _of_directory(root: Path, given: Mapping[str, Any], below: Mapping[str, Any], send: Send) -> spec.Document:
    path = given["path"] or ""
    found = directory.dockerfile(given["file"], root / path, Path.cwd())
    file = found.path if given["file"] != "-" else "-"
    flags = options.flags({**given, "file": file, "inline": found.inline}, {"oci": {}})
    wanted = spec.spec(flags, below)
    _check({**wanted, "source": {"oci": {}}})
    to = directory.repository(wanted["output"].get("images") or [], given["source_repository"])
    sent = send(root, to, path, found.path)
    return {**wanted, "source": {**wanted.get("source", {}), **sent}}


def _check(wanted: Mapping[str, Any]) -> None:
    output = wanted.get("output", {})
    if not output.get("images") and not output.get("discard"):
        raise _missing("Say where the image goes: -t REGISTRY/REPOSITORY:TAG, or --discard to keep nothing.", wanted)
    if not wanted.get("source") and not wanted.get("dockerfile", {}).get("inline"):
        raise _missing("Say what to build: a git URL, a directory, or -f - and a Dockerfile on standard input.", wanted)


def _missing(what: str, wanted: Mapping[str, Any]) -> click.UsageError:
    """What is missing is often there, under a name that is not spelled right."""
    from imagebuild.api.imagebuild import unknown_fields  # noqa: PLC0415  pydantic takes its time, and is not needed else
    from imagebuild.api.spec import ImageBuildSpec  # noqa: PLC0415

    strange = unknown_fields(ImageBuildSpec, wanted)
    return click.UsageError(what + (f" There is no field {' or '.join(strange)}." if strange else ""))


def _new_name(prefix: str | None, wanted: Mapping[str, Any]) -> str:
    """Chosen here and not by the server, so that a create that is sent twice makes one build."""
    suffix = "".join(secrets.choice(_LETTERS) for _ in range(_SUFFIX))
    return f"{prefix}{suffix}" if prefix else spec.name_for(wanted, suffix)


def _metadata(written: Mapping[str, Any], name: str, namespace: str | None) -> spec.Document:
    kept = {key: written[key] for key in ("labels", "annotations") if written.get(key)}
    return {"name": name, **({"namespace": namespace} if namespace else {}), **kept}
