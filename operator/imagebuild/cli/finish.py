"""The end of a command that has followed a build: what it prints, and its exit code."""

from __future__ import annotations

import click

from imagebuild.cli import ending, exits, show
from imagebuild.cli.exits import Exit
from imagebuild.cli.terminal import Screen, harmless
from imagebuild.cli.view import View

__all__ = ["close", "finish"]


def finish(build: View, screen: Screen, form: str | None, *, log_shown: bool) -> Exit:
    """Results on standard output, words on standard error."""
    code = close(build, screen, log_shown=log_shown)
    lines = ending.images(build) if code is Exit.OK else []
    text = show.printed(build.document, form) if form else harmless("\n".join(lines))
    if text:
        click.echo(text)
    return code


def close(build: View, screen: Screen, *, log_shown: bool) -> Exit:
    """The words alone."""
    code = exits.of_build(build.phase, build.reason)
    if code is Exit.OK:
        screen.say(ending.summary(build), "bold green")
    else:
        told = ending.failure(build, log_shown=log_shown)
        more = f"  More: imagebuild describe {build.name} -n {build.namespace}"
        click.echo(harmless("\n".join([*told, more])), err=True)  # files of a fork may be named in it
    return code
