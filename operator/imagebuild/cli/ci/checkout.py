"""A directory of the job as a place in its repository: what is built is the commit, which need not be sent anywhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

__all__ = ["changes", "head", "root"]

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_GIT_SECONDS = 30


def root(directory: Path, checkout: Path) -> Path | None:
    """Of the repository that the directory is in, at or below the system's checkout; None: it lies outside.

    Without any .git there, it is the checkout that the system would have made: nothing has to be there at all.
    """
    directory, checkout = directory.resolve(), checkout.resolve()
    if not directory.is_relative_to(checkout):
        return None
    between = (each for each in (directory, *directory.parents) if each.is_relative_to(checkout))
    return next((each for each in between if (each / ".git").exists()), checkout)


def head(repository: Path) -> str | None:
    """The commit that is checked out, without git, which images for jobs need not have. None: it cannot be told."""
    try:
        said = (repository / ".git" / "HEAD").read_text().strip()
        name = said.removeprefix("ref: ")
        if name == said:
            return said if _COMMIT.fullmatch(said) else None
        loose = repository / ".git" / name
        if loose.is_file():
            return loose.read_text().strip()
        packed = (line.split() for line in (repository / ".git" / "packed-refs").read_text().splitlines())
        return next((words[0] for words in packed if words[1:] == [name]), None)
    except (OSError, UnicodeDecodeError):
        return None


def changes(directory: Path) -> list[str]:
    """Files below that are not as the commit has them, where there is a git to ask."""
    words = ["git", "-C", str(directory), "status", "--porcelain", "--no-renames", "--", "."]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line[3:] for line in done.stdout.splitlines()] if done.returncode == 0 else []
