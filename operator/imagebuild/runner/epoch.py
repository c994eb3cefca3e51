"""`output.sourceDateEpoch: Commit`: the time of the commit that is built, as the argument that BuildKit reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from imagebuild.contract.plan import Plan
from imagebuild.contract.reasons import Reason
from imagebuild.runner import process
from imagebuild.runner.problem import Problem

__all__ = ["with_commit_time"]


def with_commit_time(plan: Plan, commit: str | None, repository: Path, env: Mapping[str, str]) -> Plan:
    """The plan with the time among its arguments, where it asks for that."""
    if not plan.output.commit_time:
        return plan
    if commit is None:
        raise Problem(Reason.SPEC_INVALID, "output.sourceDateEpoch: Commit needs a source from git")
    with process.start(["git", f"--git-dir={repository}", "show", "-s", "--format=%ct", commit], env) as running:
        said, _ = running.communicate()
    seconds = said.decode(errors="replace").strip()
    if not seconds.isdecimal():
        raise Problem(Reason.RUNNER_FAILED, f"git does not say when {commit} was made: {seconds[:200]}")
    return dataclasses.replace(plan, args=(*plan.args, "--opt", f"build-arg:SOURCE_DATE_EPOCH={seconds}"))
