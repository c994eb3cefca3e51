"""`imagebuild logs`: the log of a build, whole and once, whatever pods and connections it takes."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from imagebuild.cli import logs
from imagebuild.cli.attach import Attached
from imagebuild.cli.exits import Exit
from imagebuild.cli.finish import close
from imagebuild.cli.logs import Line, Pod
from imagebuild.cli.named import find, name_argument
from imagebuild.cli.problem import ApiError, Problem
from imagebuild.cli.session import Session, in_session, place
from imagebuild.cli.terminal import Screen
from imagebuild.cli.view import View

_NOT_FOUND = 404


@click.command("logs")
@name_argument
@click.option("-f", "--follow", is_flag=True, help="To the end of the build, over all attempts; exit as it ends.")
@click.option("--timestamps", is_flag=True, help="The time of each line before it.")
@click.option("--cancel-on-interrupt", is_flag=True, help="With -f: Ctrl-C and TERM cancel the build.")
@place
@in_session
def command(session: Session, /, name: str, *, follow: bool, timestamps: bool, cancel_on_interrupt: bool) -> int:
    """The log of the build's newest attempt.

    With -f it waits for the build to start, says where it is in the queue, follows the attempts that come, and exits as
    the build ends.
    """
    build = find(session.cluster, name)
    out, err = Screen(sys.stdout), Screen(sys.stderr)

    def line(found: Line) -> None:
        out.say(f"{found.time} {found.text}" if timestamps else found.text)

    if follow:
        shown = err if not out.live else out  # a line of progress must be the log's neighbour
        attached = Attached(session.cluster, name, shown, line, cancel_on_interrupt=cancel_on_interrupt)
        return close(attached.result(), err, log_shown=True)
    _print(session, build, line)
    return Exit.OK


def _print(session: Session, build: View, line: Callable[[Line], None]) -> None:
    if not build.pod:
        raise Problem(f"{build.name} has no log yet. {build.message}", "logs -f waits for it.")
    try:
        for found in logs.lines(session.cluster, Pod(build.pod, over=True)):
            line(found)
    except ApiError as error:
        if error.status == _NOT_FOUND:
            raise Problem(f"The pod {build.pod} is gone, and its log with it.", "Pods stay for a day.") from error
        raise
