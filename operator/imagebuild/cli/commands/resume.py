"""`imagebuild resume`: spec.suspend."""

from __future__ import annotations

import click

from imagebuild.cli.commands.suspend import switch
from imagebuild.cli.named import names_argument
from imagebuild.cli.session import Session, in_session, place
from imagebuild.cli.unread import answering


@click.command("resume")
@names_argument
@place
@in_session
@answering()
def command(session: Session, /, names: tuple[str, ...]) -> None:
    """Go on with builds that were suspended; a run that was stopped starts over."""
    switch(session, names, suspended=False)
