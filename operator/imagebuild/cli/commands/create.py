"""`imagebuild create`: an ImageBuild from flags; with --dry-run only its YAML."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from imagebuild.cli import show
from imagebuild.cli.directory import pushed
from imagebuild.cli.options import build_flags
from imagebuild.cli.request import requested
from imagebuild.cli.session import Session, in_session, place
from imagebuild.cli.terminal import Screen


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

    SOURCE is a directory of this machine, a git URL (https://host/repo.git#branch:directory), an archive
    (https://host/x.tar.gz), or an artifact (oci://registry/repo:tag).
    """
    screen = Screen(sys.stderr)
    send = pushed(screen, plain_http=given["source_plain_http"]) if not dry_run else _sent_by_no_dry_run
    document = requested(given, session.namespace, send)
    if dry_run == "client":
        click.echo(show.printed(document, form or "yaml"))
        return
    made = session.cluster.create(document, dry_run=dry_run == "server")
    if dry_run:
        click.echo(show.printed(document, form or "yaml"))
    else:
        click.echo(show.printed(made, form or "name"))


def _sent_by_no_dry_run(root: Path, repository: str, _context: str, _dockerfile: str | None) -> NoReturn:
    raise click.UsageError(f"--dry-run would have to send {root} to {repository} first: leave it out, or give a URL.")
