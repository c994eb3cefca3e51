"""`imagebuild doctor`: which isolation mode the nodes can run, before the first build fails."""

from __future__ import annotations

import contextlib
import secrets
import signal
import sys
from collections.abc import Iterator, Sequence

import click

from imagebuild.cli import show
from imagebuild.cli.interrupts import answered
from imagebuild.cli.session import Session, in_session, place
from imagebuild.cli.spans import SPAN
from imagebuild.cli.terminal import Screen
from imagebuild.cli.unread import answering

_MODES = ["Userns", "UsernsMasked", "Rootless"]


@click.command("doctor")
@click.option(
    "--isolation",
    type=click.Choice(_MODES),
    help="Try this mode alone, and judge by it. Default: the one in force here.",
)
@click.option("--builder-image", metavar="REF", help="Default: that of the operator's configuration.")
@click.option("--seccomp-profile", metavar="PATH", help="Instead of the configured one.")
@click.option("--tainted", is_flag=True, help="Look at nodes with taints, too.")
@click.option("--timeout", type=SPAN, default="2m", show_default=True, help="For each pod.")
@click.option("--operator-namespace", default="imagebuild-system", show_default=True, help="Where the operator runs.")
@click.option("-o", "--output", "form", type=click.Choice(["json"]), help="The same as a document.")
@place
@in_session
@answering()
def command(
    session: Session,
    /,
    *,
    isolation: str | None,
    builder_image: str | None,
    seccomp_profile: str | None,
    timeout: float,
    operator_namespace: str,
    form: str | None,
    tainted: bool,
) -> int:
    """Which isolation mode the nodes can run, and what to do where they cannot.

    On one node of each class (the same OS, kernel, runtime, kubelet, architecture and node pool) a pod of each mode
    builds a small image that is thrown away. The pods are as those of builds, in the namespace of -n, and are deleted
    at the end. It takes the right to create, get and delete pods there, and to list nodes; without the latter one node
    is looked at.
    """
    from imagebuild.cli.doctor import configured, examine, report  # noqa: PLC0415  --help waits for none of them

    screen = Screen(sys.stderr)
    config, note = configured.configuration(
        session.cluster,
        operator_namespace,
        builder=configured.builder(builder_image),
        seccomp_profile=seccomp_profile,
    )
    wanted = examine.Wanted(
        namespace=session.cluster.namespace, config=config, only=isolation, patience=timeout, tainted=tainted
    )
    with answered(signal.default_int_handler), _progress(screen):  # TERM, too, leaves no pod behind
        found = examine.examine(session.cluster, wanted, secrets.token_hex(3), screen.progress)
    notes = [*filter(None, [note]), *found.notes]
    if form:
        told = report.document(found.looked, found.left_out, found.advice, wanted.configured, notes)
        click.echo(show.to_json(told))
    else:
        _tell(Screen(sys.stdout), [*notes, *report.lines(found.looked, found.left_out, found.advice)])
    return found.advice.exit_code


def _tell(screen: Screen, lines: Sequence[str]) -> None:
    for line in lines:
        screen.say(line, "bold" if line.startswith("class ") else "")


@contextlib.contextmanager
def _progress(screen: Screen) -> Iterator[None]:
    try:
        yield
    finally:
        screen.done()
