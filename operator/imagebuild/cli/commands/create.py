"""`imagebuild create`: an ImageBuild from flags; with --dry-run only its YAML."""

from __future__ import annotations

from typing import Any

import click

from imagebuild.cli import show
from imagebuild.cli.options import build_flags
from imagebuild.cli.request import requested
from imagebuild.cli.session import Session, in_session, place


@click.command("create")
@build_flags
@click.option(
    "--dry-run",
    type=click.Choice(["client", "server"]),
    is_flag=False,
    flag_value="client",
    help="Print the YAML and create nothing; with =server the API server checks it first.",
)
@show.output_option
@place
@in_session
def command(session: Session, /, dry_run: str | None, form: str | None, **given: Any) -> None:
    """Create an ImageBuild, and do not wait for it.

    SOURCE is a git URL (https://host/repo.git#branch:directory), an archive (https://host/x.tar.gz), or an artifact
    (oci://registry/repo:tag).
    """
    document = requested(given, session.namespace)
    if dry_run == "client":
        click.echo(show.printed(document, form or "yaml"))
        return
    made = session.cluster.create(document, dry_run=dry_run == "server")
    if dry_run:
        click.echo(show.printed(document, form or "yaml"))
    else:
        click.echo(show.printed(made, form or "name"))
