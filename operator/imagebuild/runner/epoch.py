"""`output.sourceDateEpoch: Commit`: the time of the commit that is built, as the argument that BuildKit reads."""

from __future__ import annotations

import dataclasses

from imagebuild.contract.plan import Plan
from imagebuild.contract.reasons import Reason
from imagebuild.runner.problem import Problem
from imagebuild.runner.source import Source

__all__ = ["with_commit_time"]


def with_commit_time(plan: Plan, source: Source) -> Plan:
    """The plan with the time among its arguments, where it asks for that."""
    if not plan.output.commit_time:
        return plan
    if not source.commit_time:
        raise Problem(Reason.SPEC_INVALID, "output.sourceDateEpoch: Commit needs a source from git")
    return dataclasses.replace(plan, args=(*plan.args, "--opt", f"build-arg:SOURCE_DATE_EPOCH={source.commit_time}"))
