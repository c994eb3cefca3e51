"""Texts and YAML of this machine that flags name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

__all__ = ["read_text", "read_yaml"]


def read_text(file: str | Path, hint: str) -> str:
    """`-` is standard input. Raises BadParameter, of the flag in `hint`."""
    named = "standard input" if str(file) == "-" else str(file)
    try:
        return sys.stdin.read() if str(file) == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or error  # the file is named already
        raise click.BadParameter(f"{named} cannot be read: {said}", param_hint=hint) from error


def read_yaml(file: str, hint: str) -> Any:
    """With dates as texts, as kubectl reads them. Raises as `read_text`."""
    import yaml  # noqa: PLC0415  most builds need none, and it takes a while to load

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {  # noqa: RUF012  as the library has it
            first: [(tag, like) for tag, like in known if tag != "tag:yaml.org,2002:timestamp"]
            for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    text = read_text(file, hint)
    try:
        return yaml.load(text, Loader)  # noqa: S506  a safe one
    except Exception as error:  # the parser lets many of Python's own out
        raise click.BadParameter(f"{file} cannot be read: {error}", param_hint=hint) from error
