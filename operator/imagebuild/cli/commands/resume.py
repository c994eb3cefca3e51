"""`imagebuild resume`: spec.suspend."""

from __future__ import annotations

import click

from imagebuild.cli import changing
from imagebuild.cli.named import find, names_argument
from imagebuild.cli.session import Session, in_session, place


@click.command("resume")
@names_argument
@place
@in_session
def command(session: Session, /, names: tuple[str, ...]) -> None:
    """Go on with builds that were suspended; a run that was stopped starts over."""
    for name in names:
        find(session.cluster, name)
        session.cluster.patch(name, changing.suspend(suspended=False))
        click.echo(f"{name} is resumed")
