"""Texts of this machine that flags name."""

from __future__ import annotations

import sys
from pathlib import Path

import click

__all__ = ["read_text"]


def read_text(file: str | Path, hint: str) -> str:
    """`-` is standard input. Raises BadParameter, of the flag in `hint`."""
    named = "standard input" if str(file) == "-" else str(file)
    try:
        return sys.stdin.read() if str(file) == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or error  # the file is named already
        raise click.BadParameter(f"{named} cannot be read: {said}", param_hint=hint) from error
