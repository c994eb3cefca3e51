"""SOURCE as a directory of this machine: where its Dockerfile is, which repository it goes to, and its way there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagebuild.cli.exits import Exit
from imagebuild.cli.files import read_text
from imagebuild.cli.problem import Problem
from imagebuild.cli.terminal import Screen

if TYPE_CHECKING:
    from imagebuild.cli.upload import Progress

__all__ = ["Dockerfile", "Send", "dockerfile", "pushed", "repository"]

Send = Callable[[Path, str, str, str | None], Mapping[str, Any]]
"""A directory, the repository it goes to, the context in it, and the Dockerfile in that: what `spec.source` is then."""

_MEGA = 1_000_000


@dataclass(frozen=True, slots=True)
class Dockerfile:
    path: str | None = None
    """In the context."""
    inline: str | None = None
    """The text of a file that is outside of it."""


def dockerfile(file: str | None, context: Path, here: Path) -> Dockerfile:
    """-f is a path from where one is, as buildx has it; from the context, as Kaniko has it, where there is none."""
    if file is None or file == "-":
        return Dockerfile()
    given = (here / file).resolve()
    if not given.is_file():
        if not (context / file).is_file():
            raise click.BadParameter(f"there is no {file} here, and none in {context}", param_hint="'--file'")
        given = (context / file).resolve()
    if given.is_relative_to(context.resolve()):
        return Dockerfile(path=str(given.relative_to(context.resolve())))
    return Dockerfile(inline=read_text(given, "'--file'"))


def repository(images: list[str], named: str | None) -> str:
    """That of the first image, which the user may push to and the build may pull from."""
    if named:
        return named
    if not images:
        raise click.UsageError("Say where the directory goes: --source-repository REGISTRY/REPOSITORY.")
    head, slash, last = images[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def pushed(screen: Screen, *, plain_http: bool) -> Send:
    def send(directory: Path, repository: str, context: str, dockerfile: str | None) -> Mapping[str, Any]:
        from imagebuild.cli.upload import UploadError, push_directory  # noqa: PLC0415  of no use for other sources

        screen.say(f"Sending {directory} to {repository}", "bold")
        try:
            image = push_directory(
                directory,
                repository,
                context=context,
                dockerfile=dockerfile or "Dockerfile",
                progress=lambda now: screen.progress(told(now)),
                warn=lambda text: screen.say(text, "yellow"),
                plain_http=plain_http,
            )
        except UploadError as error:
            raise Problem(str(error), code=Exit.INFRASTRUCTURE if error.again else Exit.CONFIGURATION) from error
        finally:
            screen.done()
        return {"oci": {"image": image}}

    return send


def told(now: Progress) -> str:
    packed = f"{now.packed / _MEGA:,.1f} of {now.total / _MEGA:,.1f} MB packed"
    return f"{packed}, {now.sent / _MEGA:,.1f} MB sent, {now.reused / _MEGA:,.1f} MB were there"
