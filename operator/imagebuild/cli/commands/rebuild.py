"""`imagebuild rebuild`: one more run of the same inputs."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click

from imagebuild.cli import changing, show
from imagebuild.cli.attach import Attached
from imagebuild.cli.exits import Exit
from imagebuild.cli.finish import finish
from imagebuild.cli.named import find, name_argument
from imagebuild.cli.session import Session, in_session, place
from imagebuild.cli.terminal import Screen
from imagebuild.cli.unread import answering


@click.command("rebuild")
@name_argument
@click.option("-f", "--follow", is_flag=True, help="Follow the new run, and exit as it ends.")
@click.option("--cancel-on-interrupt", is_flag=True, help="With -f: Ctrl-C and TERM cancel the new run.")
@show.output_option
@place
@in_session
def command(session: Session, /, name: str, *, follow: bool, cancel_on_interrupt: bool, form: str | None) -> int:
    """Build the same once more: what the branch points to now. A run that is under way is stopped for it."""
    build = find(session.cluster, name)
    changed = session.cluster.patch(name, changing.rebuild(build.next_rebuild(datetime.now(UTC))))
    if not follow:
        click.echo(show.printed(changed, form) if form else f"{name}: run {build.run + 1} is asked for")
        return Exit.OK
    screen = Screen(sys.stderr)
    attached = Attached(
        session.cluster,
        name,
        screen,
        lambda line: screen.say(line.text),
        after_run=build.run,
        cancel_on_interrupt=cancel_on_interrupt,
    )
    with answering():
        return finish(attached.result(), screen, form, log_shown=True)
