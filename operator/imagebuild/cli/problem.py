"""What ends a command: a sentence, the next step, and an exit code."""

from __future__ import annotations

from typing import IO, Any

import click

from imagebuild.cli.exits import Exit
from imagebuild.cli.terminal import harmless

__all__ = ["ApiError", "PodRefusedError", "Problem"]


class Problem(click.ClickException):
    def __init__(self, message: str, next_step: str = "", code: Exit = Exit.CONFIGURATION) -> None:
        super().__init__(message)
        self.next_step = next_step
        self.exit_code = code  # type: ignore[misc]  # click's, of a class; each of ours has its own

    def show(self, file: IO[Any] | None = None) -> None:
        # words of pods, registries and others may be in it
        click.echo(harmless(f"Error: {self.message}"), file=file, err=file is None)
        if self.next_step:
            click.echo(harmless(self.next_step), file=file, err=file is None)


class ApiError(Problem):
    """What the API server refuses, told so that a person understands it."""

    def __init__(self, status: int, message: str, next_step: str = "", code: Exit = Exit.CONFIGURATION) -> None:
        super().__init__(message, next_step, code)
        self.status = status
        """Of HTTP; 0 where there was no answer."""


class PodRefusedError(ApiError):
    """The user may create pods, and admission does not take this one; in the API server's own words."""
