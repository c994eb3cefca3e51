"""`imagebuild list`: the builds of a namespace, or of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from imagebuild.cli import show
from imagebuild.cli.session import Session, in_session, place

_HEAD = ("NAME", "PHASE", "REASON", "IMAGE", "CACHED", "DURATION", "AGE")


@click.command("list")
@click.option("-A", "--all-namespaces", is_flag=True, help="Those of all namespaces.")
@show.output_option
@place
@in_session
def command(session: Session, /, form: str | None, *, all_namespaces: bool) -> None:
    """ImageBuilds, newest first."""
    cluster = session.cluster
    builds = sorted(
        cluster.builds(None if all_namespaces else cluster.namespace),
        key=lambda build: str(build["metadata"]["creationTimestamp"]),
        reverse=True,
    )
    if form:
        click.echo(show.printed({"apiVersion": "v1", "kind": "List", "items": builds}, form))
    elif builds:
        click.echo("\n".join(table(builds, datetime.now(UTC), namespaces=all_namespaces)))
    else:
        _say_none(session, all_namespaces=all_namespaces)


def _say_none(session: Session, *, all_namespaces: bool) -> None:
    if not all_namespaces:
        session.cluster.check_namespace()
    where = "the cluster" if all_namespaces else f"the namespace {session.cluster.namespace}"
    click.echo(f"There are no ImageBuilds in {where}.", err=True)


def table(builds: Iterable[Mapping[str, Any]], now: datetime, *, namespaces: bool) -> list[str]:
    rows = [_row(build, now) for build in builds]
    if namespaces:
        spaces = [build["metadata"]["namespace"] for build in builds]
        return show.columns([("NAMESPACE", *_HEAD), *((name, *row) for name, row in zip(spaces, rows, strict=True))])
    return show.columns([_HEAD, *rows])


def _row(build: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    status = build.get("status") or {}
    return (
        build["metadata"]["name"],
        status.get("phase") or "",
        status.get("reason") or "",
        next(iter((status.get("output") or {}).get("images") or ()), ""),
        (status.get("cache") or {}).get("summary") or "",
        status.get("duration") or "",
        show.age(build["metadata"]["creationTimestamp"], now),
    )
