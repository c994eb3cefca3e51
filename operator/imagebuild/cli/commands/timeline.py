"""`imagebuild timeline`: where the time of a build went."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime
from typing import Any

import click

from imagebuild.cli import archive, chart, logs, phases, show, steps
from imagebuild.cli.logs import Pod
from imagebuild.cli.named import find, name_argument
from imagebuild.cli.page.document import Facts, page
from imagebuild.cli.page.excerpts import Excerpts
from imagebuild.cli.problem import ApiError, Problem
from imagebuild.cli.session import Session, in_session, place
from imagebuild.cli.terminal import Screen
from imagebuild.cli.view import View
from imagebuild.contract.timeline import Timeline

_FORBIDDEN, _GONE = 403, 404
_NOT_STARTED = 400
_ELSEWHERE = (100, 24)
"""Columns and lines where there is no terminal, and no COLUMNS."""


@click.command("timeline")
@name_argument
@click.option(
    "-o", "--output", "form", type=click.Choice(["json", "html"]), help="The same as JSON, or as a page of one file."
)
@archive.plain_http_option
@place
@in_session
def command(session: Session, /, name: str, *, form: str | None, archive_plain_http: bool) -> None:
    """The steps of a build as bars: waiting, fetching, each line of the Dockerfile, push and cache.

    Of the newest attempt. The steps come from the log of its pod, so they are there as long as the pod is, or its
    archive. The page also has the end of what each step printed.
    """
    build, now, excerpts = find(session.cluster, name), datetime.now(UTC), Excerpts()
    found, note = _steps(session, build, now, excerpts, plain_http=archive_plain_http)
    spans = phases.spans(build, _pod(session, build), found, now)
    if form == "html":
        timeline = found.timeline if found else Timeline(since=0.0)
        printed = excerpts.of(timeline.steps)
        facts = Facts(build=build, spans=spans, timeline=timeline, excerpts=printed, note=note, now=now)
        click.echo(page(facts).encode(), nl=False)
        return
    if form == "json":
        click.echo(show.to_json(phases.document(build, spans, found, note)))
        return
    screen = Screen(sys.stdout)
    screen.say(f"{build.name} in {build.namespace}: {', '.join(filter(None, [build.phase, build.reason])) or 'new'}")
    plain = not (screen.live and (sys.stdout.encoding or "").lower().replace("-", "") == "utf8")
    for row in chart.chart(spans, shutil.get_terminal_size(_ELSEWHERE).columns, plain=plain):
        screen.say(row.text, row.style)
    if note:
        screen.say(note)


def _steps(
    session: Session, build: View, now: datetime, excerpts: Excerpts, *, plain_http: bool
) -> tuple[steps.Steps | None, str]:
    """And a word on what is missing of them."""
    if not build.pod:
        return None, f"No pod has been made for it. {build.message}".strip()
    try:
        found = steps.read(excerpts.watch(logs.everything(session.cluster, Pod(build.pod, over=True))), now)
    except ApiError as error:
        if error.status == _GONE:
            return _archived(build, now, excerpts, plain_http=plain_http)
        if error.status == _NOT_STARTED:
            return None, f"The pod {build.pod} has not started."
        if error.status == _FORBIDDEN:
            return None, f"The steps are in the log of the pod {build.pod}. {error.message} {error.next_step}"
        raise
    return found, _lacking(build, found)


def _archived(build: View, now: datetime, excerpts: Excerpts, *, plain_http: bool) -> tuple[steps.Steps | None, str]:
    image, gone = archive.image(build), f"The pod {build.pod} is gone"
    if not image:
        return None, f"{gone}, and its log with it: the steps are not known any more."
    try:
        found = steps.read(excerpts.watch(archive.read(image, plain_http=plain_http)), now)
    except Problem as problem:
        return None, f"{gone}, and the archive cannot be read: {problem.message} {problem.next_step}".rstrip()
    return found, " ".join(filter(None, [f"{gone}: the steps are from the archive {image}.", _lacking(build, found)]))


def _lacking(build: View, found: steps.Steps | None) -> str:
    if found is None:
        return "BuildKit has not begun a step." if not build.over else "BuildKit had not begun a step."
    if found.timeline.more:
        return f"{found.timeline.more} more steps, the shortest ones, had no room in the log."
    if found.exact:
        return ""
    return "Times of steps are those of lines in the log; exact ones are there when BuildKit has ended."


def _pod(session: Session, build: View) -> dict[str, Any]:
    """Empty where it may not be seen, or is gone: then a little less is known."""
    if not build.pod:
        return {}
    try:
        return session.cluster.read(f"/api/v1/namespaces/{build.namespace}/pods/{build.pod}")
    except ApiError as error:
        if error.status in (_FORBIDDEN, _GONE):
            return {}
        raise
