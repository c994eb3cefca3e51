"""What fetching a source gives: a directory, and what it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    directory: Path
    """What was fetched."""
    commit: str | None = None
    branch: str | None = None
    """None: the build is of no branch."""
    base: str | None = None
    """The default branch of the remote, where it was asked for."""
