"""`imagebuild cancel`: stop the run that is under way, or waits."""

from __future__ import annotations

import click

from imagebuild.cli import changing
from imagebuild.cli.named import find, names_argument
from imagebuild.cli.session import Session, in_session, place
from imagebuild.cli.terminal import harmless
from imagebuild.cli.unread import answering


@click.command("cancel")
@names_argument
@place
@in_session
@answering()
def command(session: Session, /, names: tuple[str, ...]) -> None:
    """Cancel the run that is under way, or waits. What had been pushed by then counts."""
    for name in names:
        build = find(session.cluster, name)
        if build.over and build.seen:
            click.echo(harmless(f"{name} is over: {build.reason}"))
            continue
        run = build.run or 1
        session.cluster.patch(name, changing.cancel(run))
        click.echo(f"{name}: run {run} is being cancelled")
