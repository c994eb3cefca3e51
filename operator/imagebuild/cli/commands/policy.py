"""`imagebuild policy`: what the administrator has set, for those who build."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from imagebuild.cli import configuration, show
from imagebuild.cli.exits import Exit
from imagebuild.cli.options import read_spec
from imagebuild.cli.policy import telling
from imagebuild.cli.policy.settings import Explained, explain
from imagebuild.cli.policy.trial import Trial, trial
from imagebuild.cli.session import HELP, Session, in_session, place
from imagebuild.cli.terminal import Screen
from imagebuild.cli.unread import answering


@click.group("policy")
@HELP
def command() -> None:
    """What the administrator has set for a namespace, and whether a build would be refused."""


@command.command("explain", short_help="Each setting in force there, and where it comes from")
@click.option(
    "-f", "--file", metavar="FILE", help="An ImageBuild, or its spec, that may be refused; - reads standard input."
)
@click.option("--config", metavar="FILE", type=Path, help="The operator's configuration. Default: the cluster's.")
@click.option("--operator-namespace", default="imagebuild-system", show_default=True, help="Where the operator is.")
@click.option("-o", "--output", "form", type=click.Choice(["json", "yaml"]), help="All of it, and the whole pod.")
@place
@in_session
def explain_command(
    session: Session, /, file: str | None, config: Path | None, operator_namespace: str, form: str | None
) -> Exit:
    """Each setting that is in force in the namespace, and where it comes from.

    A policy's key (namespaces[MATCH].…), one for all namespaces, or the default. With -f it exits with 2 where the
    operator would refuse the build, and says what its pod would get where it would not.
    """
    read = configuration.in_file(config) if config else configuration.in_cluster(session.cluster, operator_namespace)
    written = _written(file)
    namespace = session.namespace or (written or {}).get("metadata", {}).get("namespace") or session.cluster.namespace
    tried = trial(written, namespace, read, datetime.now(UTC)) if written else None
    with answering(when=tried is not None):
        _print(namespace, explain(read, namespace), tried, form)
    return Exit.CONFIGURATION if tried and tried.refused else Exit.OK


def _print(namespace: str, explained: Explained, tried: Trial | None, form: str | None) -> None:
    if form:
        click.echo(show.printed(telling.document(namespace, explained, tried), form))
        return
    screen = Screen(sys.stdout)
    for line in telling.text(namespace, explained, tried):
        screen.say(line)


def _written(file: str | None) -> dict[str, Any] | None:
    if file is None:
        return None
    metadata, spec = read_spec(file, "'--file'")
    return {"metadata": metadata, "spec": spec}
