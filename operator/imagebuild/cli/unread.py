"""The reader of a command's output has gone, as `head` does once it has its lines.

For who only reads that is an end like another, and the exit code 0 (group.py). Where the exit code is an answer, such
as that the image is there, it is not known then, and 0 would be taken for a yes: the command ends with
Exit.INFRASTRUCTURE, which says nothing against the Dockerfile, and lets a pipeline try again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from imagebuild.cli.exits import Exit
from imagebuild.cli.problem import Problem

__all__ = ["answering", "let_go"]


@contextmanager
def answering(*, when: bool = True) -> Iterator[None]:
    """Around a command whose exit code is an answer, or its decorator."""
    try:
        yield
    except BrokenPipeError as error:
        if not when:
            raise
        told = "The reader of this command's output has gone, before its end was known."
        step = "What it has begun in the cluster goes on: see imagebuild list."
        raise Problem(told, step, Exit.INFRASTRUCTURE) from error


def let_go(stream: TextIO) -> None:
    """The interpreter would try at its end to write what is left, and complain."""
    try:
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
