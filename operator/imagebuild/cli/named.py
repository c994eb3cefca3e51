"""The ImageBuild that a command line names: found, or told which ones there are."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import click

from imagebuild.cli.problem import ApiError
from imagebuild.cli.session import Session
from imagebuild.cli.view import View

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from imagebuild.cli.cluster import Cluster

__all__ = ["find", "name_argument", "names_argument"]

_NOT_FOUND = 404


def find(cluster: Cluster, name: str) -> View:
    """Raises ApiError, with names that are like it."""
    try:
        return View(cluster.build(plain(name)))
    except ApiError as error:
        if error.status != _NOT_FOUND or "not installed" in error.message:
            raise
        cluster.check_namespace()
        known = [build["metadata"]["name"] for build in cluster.builds(cluster.namespace)]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else "imagebuild list -A shows all there are."
        raise ApiError(_NOT_FOUND, error.message, hint) from error


def plain(name: str) -> str:
    """Also as -o name writes it, and kubectl: imagebuild.imagebuild.dev/shop, ib/shop."""
    return name.rpartition("/")[2]


def _complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem  # noqa: PLC0415  only a shell that completes asks for it

    try:
        cluster = _session(ctx).cluster
        builds = [View(each) for each in cluster.builds(cluster.namespace)]
    except (click.ClickException, OSError):
        return []
    return [CompletionItem(each.name, help=each.reason) for each in builds if each.name.startswith(incomplete)]


def _session(ctx: click.Context) -> Session:
    return ctx.ensure_object(Session)


def _plain(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    return tuple(plain(each) for each in value) if isinstance(value, tuple) else plain(value)


name_argument = click.argument("name", shell_complete=_complete, callback=_plain)
names_argument = click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=_complete, callback=_plain
)
