"""`imagebuild describe`: one build for a person."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, datetime

import click

from imagebuild.cli import describing, show, waiting
from imagebuild.cli.named import find, name_argument
from imagebuild.cli.problem import ApiError
from imagebuild.cli.session import Session, in_session, place
from imagebuild.cli.terminal import Screen
from imagebuild.cli.view import View
from imagebuild.contract.reasons import Reason


@click.command("describe")
@name_argument
@show.output_option
@place
@in_session
def command(session: Session, /, name: str, form: str | None) -> None:
    """Why a build waits or has failed, with the failing line, what to do, and how to do the same with Docker."""
    build = find(session.cluster, name)
    if form:
        click.echo(show.printed(build.document, form))
        return
    place_in_queue = None
    if build.reason == Reason.QUEUED:
        with suppress(ApiError):  # then without
            others = [View(each) for each in session.cluster.builds(session.cluster.namespace)]
            place_in_queue = waiting.place_in_queue(build, others)
    screen = Screen(sys.stdout)
    for line in describing.describe(build, datetime.now(UTC), place_in_queue):
        screen.say(line, "bold" if line and not line.startswith(" ") else "")
