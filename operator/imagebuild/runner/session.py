"""One build from plan to result: all that must be there, the daemon, and what it is for (course.py)."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING

from imagebuild.contract.plan import Plan
from imagebuild.contract.reasons import Reason
from imagebuild.runner import (
    authorities,
    buildsecrets,
    clientcerts,
    cloud,
    credentials,
    isolation,
    process,
    volumes,
)
from imagebuild.runner.daemon import Daemon
from imagebuild.runner.egress import egress
from imagebuild.runner.problem import Problem
from imagebuild.runner.reference import pushed
from imagebuild.runner.stop import Stop
from imagebuild.runner.tracing import Trace, traced

if TYPE_CHECKING:
    from imagebuild.contract.result import BuildResult

__all__ = ["run"]


def run(plan: Plan, work: Path, stop: Stop) -> BuildResult:
    """Raises Problem for what ends the build before BuildKit is asked."""
    ready, bundle = clientcerts.certified(plan), authorities.merged(plan, work)
    with egress(plan.proxy) as way, traced(plan.tracing, bundle) as trace:

        def behind(reason: Reason, message: str) -> Problem | None:
            return way.cause(reason, message) or ready.cause(reason, message)

        env = process.environment(work, **way.environment, **({"SSL_CERT_FILE": str(bundle)} if bundle else {}))
        try:
            result = _run(authorities.offer(way.offer(ready.plan), bundle), work, stop, env, trace)
        except Problem as problem:
            if (cause := behind(problem.reason, problem.message)) is not None:
                raise cause from problem
            raise
        return _told(result, behind(result.essentials.reason, result.essentials.message))


def _told(result: BuildResult, cause: Problem | None) -> BuildResult:
    if cause is None:
        return result
    said = dataclasses.replace(result.essentials, reason=cause.reason, message=cause.message)
    return dataclasses.replace(result, essentials=said)


def _run(plan: Plan, work: Path, stop: Stop, env: dict[str, str], trace: Trace) -> BuildResult:
    began = time.monotonic()
    logins = _made_ready(plan, work)
    with (
        volumes.hold(plan.cache_volume, stop.check) as state,
        _daemon(plan, work, env, state, trace) as daemon,
    ):
        from imagebuild.runner import course  # noqa: PLC0415 half of what there is to import: the daemon starts meanwhile

        result = course.run(plan, work, env, logins, daemon, trace=trace, stopped=stop.check)
    timings = dataclasses.replace(result.details.timings, total=round(time.monotonic() - began, 2))
    return dataclasses.replace(result, details=dataclasses.replace(result.details, timings=timings))


def _made_ready(plan: Plan, work: Path) -> credentials.Logins:
    """Looks for all that must be there, which takes no time, before anything is started."""
    for name in ("run", "tmp", "report"):
        (work / name).mkdir(exist_ok=True)
    isolation.check(sandbox=plan.process_sandbox)
    buildsecrets.check(plan.secret_keys)
    logins = credentials.merge(plan.registry_secrets, pushed(plan))
    credentials.write(logins, work / "docker")
    volumes.check((*plan.claims, *((plan.cache_volume,) if plan.cache_volume else ())))
    return logins


def _daemon(plan: Plan, work: Path, env: dict[str, str], state: Path | None, trace: Trace) -> Daemon:
    return Daemon(
        work,
        {**env, **cloud.environment(plan.s3_credentials), **trace.daemon(env)},
        plan.registries,
        frontends=plan.frontends,
        sandbox=plan.process_sandbox,
        processes=plan.processes,
        state=state,
        trace=trace,
    )
