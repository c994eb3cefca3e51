"""The flags of `build` for jobs of CI systems."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["job_flags"]

Command = TypeVar("Command", bound=Callable[..., Any])


def _in_a_directory(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Nothing is built for a file that could not be written after it."""
    if value is not None and not Path(value).parent.is_dir():
        raise click.BadParameter(f"there is no directory {Path(value).parent}")
    return value


_FILE: dict[str, Any] = {"type": click.Path(dir_okay=False), "metavar": "FILE", "callback": _in_a_directory}
_FLAGS = [
    click.option("--digest-file", help="Write the image's digest there.", **_FILE),
    click.option("--dotenv", help="Write IMAGE, DIGEST, IMAGE_REF and more there.", **_FILE),
    click.option("--ci/--no-ci", default=True, help="Take commit, branch and more from the CI job's variables."),
    click.option("--local", is_flag=True, help="In a CI job: send the directory, not its commit."),
    click.option(
        "--job-token/--no-job-token",
        default=None,
        help="In a CI job: give its token to the build as Secrets. Default: where no Secret is named and it may.",
    ),
    click.option(
        "--registry-login",
        type=click.Path(exists=True, dir_okay=False),
        metavar="FILE",
        help="In a CI job: give the logins in this docker config.json to the build as a Secret.",
    ),
]


def job_flags(command: Command) -> Command:
    for option in reversed(_FLAGS):
        command = option(command)
    return command
