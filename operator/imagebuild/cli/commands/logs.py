"""`imagebuild logs`: the log of a build, whole and once, whatever pods and connections it takes."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from imagebuild.cli import archive, logs
from imagebuild.cli.attach import Attached
from imagebuild.cli.exits import Exit
from imagebuild.cli.finish import close
from imagebuild.cli.logs import Line, Pod
from imagebuild.cli.named import find, name_argument
from imagebuild.cli.problem import ApiError, Problem
from imagebuild.cli.session import Session, in_session, place
from imagebuild.cli.terminal import Screen
from imagebuild.cli.unread import answering
from imagebuild.cli.view import View
from imagebuild.contract import timeline

_NOT_FOUND = 404
_TO_KEEP = "To keep logs for longer: spec.archive.enabled, where the administrator has set an archive."


@click.command("logs")
@name_argument
@click.option("-f", "--follow", is_flag=True, help="To the end of the build, over all attempts; exit as it ends.")
@click.option("--timestamps", is_flag=True, help="The time of each line before it.")
@click.option("--archive", "archived", is_flag=True, help="From the archive, also where the pod is there.")
@click.option("--run", type=click.IntRange(min=1), help="Of an earlier run, from the archive. Default: the newest one.")
@archive.plain_http_option
@click.option("--cancel-on-interrupt", is_flag=True, help="With -f: Ctrl-C and TERM cancel the build.")
@place
@in_session
def command(
    session: Session,
    /,
    name: str,
    *,
    follow: bool,
    timestamps: bool,
    archived: bool,
    run: int | None,
    archive_plain_http: bool,
    cancel_on_interrupt: bool,
) -> int:
    """The log of the build's newest attempt: its pod's, and once that is gone the archive's, where there is one.

    With -f it waits for the build to start, says where it is in the queue, follows the attempts that come, and exits as
    the build ends.
    """
    build = find(session.cluster, name)
    out, err = Screen(sys.stdout), Screen(sys.stderr)

    def line(found: Line) -> None:
        out.say(f"{found.time} {found.text}" if timestamps else found.text)

    if follow and (archived or run):
        raise click.UsageError("An archive is of what is over: leave out --follow.")
    with answering(when=follow):
        if follow and not build.over:
            shown = err if not out.live else out  # a line of progress must be the log's neighbour
            attached = Attached(session.cluster, name, shown, line, cancel_on_interrupt=cancel_on_interrupt)
            return close(attached.result(), err, log_shown=True)
        try:
            if archived or (run and run != build.run) or not _printed(session, build, line):
                _print_archive(_archived(build, run, asked=archived), line, err, plain_http=archive_plain_http)
        except Problem as problem:
            if not follow:
                raise
            # how the build has ended counts for who follows it
            err.say(f"{problem.message} {problem.next_step}".rstrip())
        return close(build, err, log_shown=True) if follow else Exit.OK


def _printed(session: Session, build: View, line: Callable[[Line], None]) -> bool:
    """False: the pod is gone."""
    if not build.pod and build.over:
        raise Problem(f"{build.name} ended without a pod, and so without a log. {build.message}")
    if not build.pod:
        raise Problem(f"{build.name} has no log yet. {build.message}", "logs -f waits for it.")
    try:
        for found in logs.lines(session.cluster, Pod(build.pod, over=True)):
            line(found)
    except ApiError as error:
        if error.status == _NOT_FOUND:
            return False
        raise
    return True


def _print_archive(image: str, line: Callable[[Line], None], err: Screen, *, plain_http: bool) -> None:
    err.say(f"From the archive {image}", "bold")
    for found in archive.read(image, plain_http=plain_http):
        if not found.text.startswith(timeline.PREFIX):
            line(found)


def _archived(build: View, run: int | None, *, asked: bool) -> str:
    if image := archive.image(build, run):
        return image
    raise _nowhere(build, run, asked=asked)


def _nowhere(build: View, run: int | None, *, asked: bool) -> Problem:
    """`asked`: for the archive, so that nobody has looked for the pod."""
    if run and run != build.run:
        return Problem(f"The log of run {run} of {build.name} is not archived.", _TO_KEEP)
    if why := build.of("archive").get("error"):
        return Problem(f"{build.name} has no archive: {why}", "Its log is its pod's alone, which stays for a day.")
    if not build.over:
        return Problem(f"{build.name} is not over, and has no archive yet. {build.message}", "logs -f follows it.")
    if asked:
        return Problem(
            f"{build.name} has no archive.", f"Without --archive its pod's log is shown, for a day. {_TO_KEEP}"
        )
    return Problem(f"The pod {build.pod} is gone, and its log with it.", f"Pods stay for a day. {_TO_KEEP}")
