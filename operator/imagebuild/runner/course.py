"""The course of a build whose daemon is on its way: fetch the source and look for the cache meanwhile, then build.

A module of its own, because half of what the runner imports is in it: session.py starts the daemon before.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from imagebuild.contract.plan import Plan
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import BuildResult, Details, Essentials, Timings
from imagebuild.runner import credentials, epoch, placeholders, process
from imagebuild.runner.build import Build
from imagebuild.runner.command import Inputs
from imagebuild.runner.daemon import Daemon
from imagebuild.runner.prepare import Preparation
from imagebuild.runner.problem import Problem
from imagebuild.runner.source import inside
from imagebuild.runner.tracing import Trace

__all__ = ["run"]

_OOM_FILES = (Path("/sys/fs/cgroup/memory.events"), Path("/sys/fs/cgroup/memory/memory.oom_control"))


def run(
    plan: Plan,
    work: Path,
    env: dict[str, str],
    logins: credentials.Logins,
    daemon: Daemon,
    *,
    trace: Trace,
    stopped: Callable[[], None],
) -> BuildResult:
    """`stopped` raises Problem when the build must not go on. The result's timings have no total yet."""

    def check() -> None:
        stopped()
        daemon.check()

    with Preparation(plan, work, env, logins, trace) as prepared:
        prepared.wait(check)
        if prepared.there is None:
            daemon.wait(stopped)
        solving = time.monotonic()
        if prepared.there is None:
            if prepared.identity.helpers:
                credentials.write(logins, work / "docker", prepared.identity.helpers)
            with trace.span("solve") as solve:
                build = _build(plan, work, {**env, **trace.client(solve)}, prepared, daemon)
                timed = partial(trace.exports, under=solve)
                result = _with_one_retry(dataclasses.replace(build, timed=timed), check)
        else:
            result = _already_built(prepared.there, prepared.images)
    timings = Timings(
        fetch=round(prepared.seconds, 2),
        daemon=round(daemon.seconds, 2),
        solve=round(time.monotonic() - solving, 2),
    )
    source = prepared.source
    return BuildResult(
        essentials=dataclasses.replace(result.essentials, commit=source.commit, branch=source.branch),
        details=dataclasses.replace(result.details, timings=timings),
    )


def _already_built(digest: str, there: tuple[str, ...]) -> BuildResult:
    return BuildResult(essentials=Essentials(reason=Reason.ALREADY_BUILT, digest=digest), details=Details(images=there))


def _build(plan: Plan, work: Path, env: dict[str, str], prepared: Preparation, daemon: Daemon) -> Build:
    source = prepared.source
    context = inside(source.directory, plan.path, "source.path")
    directory, filename = _dockerfile(plan, work, context)
    return Build(
        plan=placeholders.filled(epoch.with_commit_time(plan, source), source.commit, source.branch),
        inputs=Inputs(
            address=daemon.address,
            context=context,
            dockerfile=directory,
            filename=filename,
            trace=work / "report" / "trace.json",
            metadata=work / "report" / "metadata.json",
            contexts=prepared.contexts,
        ),
        images=prepared.images,
        made_from=prepared.made_from,
        cache=prepared.cache,
        env={**env, **prepared.identity.environment, "DOCKER_CONFIG": str(work / "docker")},
        runc_log=daemon.state / "runc-overlayfs" / "executor" / "runc-log.json",
        blobs=daemon.state / "runc-overlayfs" / "content" / "blobs",
        oom_kills=_oom_kills,
    )


def _with_one_retry(build: Build, check: Callable[[], None]) -> BuildResult:
    """A cache that names layers its registry has lost fails a build; without it the build goes on."""
    result = build.run(check)
    if result.essentials.reason is not Reason.CACHE_LOST or not build.cache.read:
        return result
    process.say("the cache names a layer that is gone: building once more without it")
    return dataclasses.replace(build, cache=build.cache.unread()).run(check)


def _dockerfile(plan: Plan, work: Path, context: Path) -> tuple[Path, str]:
    """Its directory and its name in there."""
    if plan.dockerfile.inline is not None:
        directory = work / "dockerfile"
        directory.mkdir(exist_ok=True)
        (directory / "Dockerfile").write_text(plan.dockerfile.inline)
        return directory, "Dockerfile"
    if not plan.has_source:
        raise Problem(Reason.SPEC_INVALID, "there is nothing to build: give a source, or dockerfile.inline")
    path = plan.dockerfile.path
    wanted = (context / path).resolve()
    if not wanted.is_relative_to(context.resolve()) or not wanted.is_file():
        raise Problem(Reason.FILE_NOT_FOUND, f"dockerfile.path {path} is not a file of the context{_others(context)}")
    return context, path


def _others(context: Path) -> str:
    """What could have been meant."""
    names = sorted(str(file.relative_to(context)) for file in context.rglob("*ockerfile*"))[:5]
    return f"; there are {', '.join(names)}" if names else ""


def _oom_kills() -> int:
    """How often the kernel has killed a process of this pod for its memory limit."""
    for file in _OOM_FILES:
        try:
            found = re.search(r"^oom_kill (\d+)$", file.read_text(), re.MULTILINE)
        except OSError:
            continue
        return int(found[1]) if found else 0
    return 0
