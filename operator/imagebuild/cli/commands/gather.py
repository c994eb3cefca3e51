"""`imagebuild gather`: a bug report as a file, to be looked at and sent."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from imagebuild.cli import bundle, show
from imagebuild.cli.gather import gather
from imagebuild.cli.named import find, plain
from imagebuild.cli.problem import ApiError, Problem
from imagebuild.cli.redact import Redaction
from imagebuild.cli.session import Session, in_session, place

_FORBIDDEN = 403
_SYSTEM = "imagebuild-system"


@click.command("gather")
@click.argument("name", required=False)
@click.option("-f", "--file", "file", type=click.Path(dir_okay=False, path_type=Path), help="Default: after the build.")
@click.option("--include-args", is_flag=True, help="Keep the values of spec.args, unless their names look secret.")
@click.option("--operator-namespace", default=_SYSTEM, show_default=True, help="Where the operator runs.")
@place
@in_session
def command(
    session: Session, /, name: str | None, file: Path | None, *, include_args: bool, operator_namespace: str
) -> None:
    """Write what a bug report needs into FILE.tar.gz: of one build, or of all in the namespace.

    ImageBuilds, their pods, events and logs; the operator's version, configuration and log where you may read them.
    What looks secret is taken out; look at it before you send it. No Secret is read.
    """
    cluster, now = session.cluster, datetime.now(UTC)
    name = plain(name) if name else None
    file = file or Path(f"imagebuild-report-{name or cluster.namespace}.tar.gz")
    if file.exists():
        raise _taken(file)
    if name:
        _there(session, name)
    gathered = gather(cluster, cluster.namespace, name, operator_namespace)
    made = bundle.files(gathered, Redaction(include_args=include_args), now, args=include_args)
    try:
        bundle.write(file, bundle.pack(made, now))
    except FileExistsError:
        raise _taken(file) from None
    except OSError as error:
        raise Problem(f"{file} cannot be written: {error.strerror}.", "Name another one with -f.") from error
    _tell(file, made, missing=len(gathered.missing))


def _there(session: Session, name: str) -> None:
    """Raises ApiError with names that are like it; who may not look learns that from the report."""
    try:
        find(session.cluster, name)
    except ApiError as error:
        if error.status != _FORBIDDEN:
            raise


def _taken(file: Path) -> Problem:
    return Problem(f"{file} is there already.", "Name another one with -f, or remove it.")


def _tell(file: Path, made: dict[str, str], *, missing: int) -> None:
    rows = [[f"  {name}", f"{len(text.encode(errors='replace')):,} bytes"] for name, text in made.items()]
    click.echo("\n".join([f"{file}:", *show.columns(rows)]))
    if missing:
        click.echo(f"{missing} things could not be read; missing.txt says which.", err=True)
    click.echo(f"Look at it before you send it: tar xzf {file}", err=True)
    click.echo("What looks secret is taken out, but logs and Dockerfiles can hold what no rule knows.", err=True)
