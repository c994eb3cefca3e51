"""`imagebuild build`: create, follow, and end as the build ends."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from imagebuild.cli import show
from imagebuild.cli.attach import Attached
from imagebuild.cli.ci import outputs
from imagebuild.cli.ci.job import Job
from imagebuild.cli.ci.options import job_flags
from imagebuild.cli.directory import pushed
from imagebuild.cli.exits import Exit
from imagebuild.cli.finish import finish
from imagebuild.cli.options import build_flags
from imagebuild.cli.request import requested
from imagebuild.cli.session import Session, in_session, place
from imagebuild.cli.terminal import Screen
from imagebuild.cli.unread import answering


@click.command("build")
@build_flags
@job_flags
@click.option("--detach", is_flag=True, help="Do not wait for it: print its name.")
@click.option("-q", "--quiet", is_flag=True, help="No log and no states: only the result.")
@click.option("--cancel-on-interrupt", is_flag=True, help="Ctrl-C and TERM cancel the build. Default: in a CI job.")
@show.output_option
@place
@in_session
@answering()
def command(
    session: Session,
    /,
    *,
    detach: bool,
    quiet: bool,
    cancel_on_interrupt: bool,
    form: str | None,
    **given: Any,
) -> int:
    """Build an image in the cluster and push it.

    SOURCE is a directory of this machine, a git URL (https://host/repo.git#branch:directory), an archive
    (https://host/x.tar.gz), or an artifact (oci://registry/repo:tag).

    States and log go to standard error, the images with their digest to standard output.
    """
    screen = Screen(sys.stderr, quiet=quiet)
    send = pushed(screen, plain_http=given["source_plain_http"])
    job = Job.here(given, screen, stays=detach)
    document = requested(job.filled(given) if job else given, session.namespace, send)
    made = job.create(session.cluster, document) if job else session.cluster.create(document)
    name, namespace = made["metadata"]["name"], made["metadata"]["namespace"]
    if detach:
        click.echo(show.printed(made, form or "name"))
        return Exit.OK
    if not (job and job.joined):
        screen.say(f"Created {name} in the namespace {namespace}", "bold")
    line = None if quiet else lambda found: screen.say(found.text)
    cancels = cancel_on_interrupt or job is not None
    build = Attached(session.cluster, name, screen, line, cancel_on_interrupt=cancels).result()
    code = finish(build, screen, form, log_shown=not quiet)
    if job:
        job.hint(build)
    outputs.write(build, given["digest_file"], given["dotenv"], os.environ if job else {})
    return code
