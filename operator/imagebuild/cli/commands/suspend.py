"""`imagebuild suspend`: spec.suspend."""

from __future__ import annotations

import click

from imagebuild.cli import changing
from imagebuild.cli.named import find, names_argument
from imagebuild.cli.session import Session, in_session, place
from imagebuild.cli.unread import answering


@click.command("suspend")
@names_argument
@place
@in_session
@answering()
def command(session: Session, /, names: tuple[str, ...]) -> None:
    """Start nothing, and stop what runs, until it is resumed."""
    switch(session, names, suspended=True)


def switch(session: Session, names: tuple[str, ...], *, suspended: bool) -> None:
    for name in names:
        find(session.cluster, name)
        session.cluster.patch(name, changing.suspend(suspended=suspended))
        click.echo(f"{name} is {'suspended' if suspended else 'resumed'}")
