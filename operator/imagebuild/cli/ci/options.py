"""The flags of `build` for jobs of CI systems."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["job_flags"]

Command = TypeVar("Command", bound=Callable[..., Any])

_FILE = click.Path(dir_okay=False)
_FLAGS = [
    click.option("--digest-file", type=_FILE, metavar="FILE", help="Write the image's digest there."),
    click.option("--dotenv", type=_FILE, metavar="FILE", help="Write IMAGE, DIGEST, IMAGE_REF and more there."),
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
