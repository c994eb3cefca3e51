"""Fetching a source: where it happens, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from imagebuild.contract.reasons import Reason
from imagebuild.runner.problem import Problem

__all__ = ["Place", "Source", "inside"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a fetch happens."""

    directory: Path
    """What is fetched. It exists, and is empty."""
    scratch: Path
    """What is needed on the way; the name of a directory that does not exist."""
    env: Mapping[str, str]
    check: Callable[[], None]
    """Raises what is to end the fetch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    directory: Path
    """What was fetched."""
    commit: str | None = None
    branch: str | None = None
    """None: the build is of no branch."""
    base: str | None = None
    """The default branch of the remote, where it was asked for."""
    content: str = ""
    """A digest of what was fetched, where no commit says what it is."""


def inside(directory: Path, path: str, named_in: str) -> Path:
    """A directory of what was fetched. A link that leads out of the source is no way out of it."""
    wanted = (directory / path).resolve()
    if not wanted.is_relative_to(directory.resolve()):
        raise Problem(Reason.FILE_NOT_FOUND, f"{named_in} {path} leads out of the source")
    if not wanted.is_dir():
        raise Problem(Reason.FILE_NOT_FOUND, f"{named_in} {path} is not a directory of the source")
    return wanted
