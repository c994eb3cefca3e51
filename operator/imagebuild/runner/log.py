"""The log of the pod: each line goes to standard output, and into the journal where one is kept."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagebuild.runner.journal import Journal

__all__ = ["keep", "write"]

_journals: list[Journal] = []


def keep(journal: Journal) -> None:
    """Each line from now on, too."""
    _journals.append(journal)


def write(line: bytes | str) -> None:
    """A line, without its end. From any thread."""
    content = line if isinstance(line, bytes) else line.encode(errors="backslashreplace")
    sys.stdout.buffer.write(content + b"\n")
    sys.stdout.buffer.flush()
    for journal in _journals:
        journal.write(content)
