"""`imagebuild wait`: until a build is over, and end as it has ended."""

from __future__ import annotations

import sys

import click

from imagebuild.cli import show
from imagebuild.cli.attach import Attached
from imagebuild.cli.finish import finish
from imagebuild.cli.named import find, name_argument
from imagebuild.cli.session import Session, in_session, place
from imagebuild.cli.spans import SPAN
from imagebuild.cli.terminal import Screen
from imagebuild.cli.unread import answering


@click.command("wait")
@name_argument
@click.option("--timeout", type=SPAN, help="Give up after this time, such as 30m; the build goes on.")
@click.option("-q", "--quiet", is_flag=True, help="No states: only the result.")
@show.output_option
@place
@in_session
@answering()
def command(session: Session, /, name: str, timeout: float | None, *, quiet: bool, form: str | None) -> int:
    """Wait until the build is over, and exit as it has ended.

    A spec that has just changed, and a rebuild that was just asked for, are waited for, too.
    """
    find(session.cluster, name)
    screen = Screen(sys.stderr, quiet=quiet)
    build = Attached(session.cluster, name, screen, None).result(timeout)
    return finish(build, screen, form, log_shown=False)
