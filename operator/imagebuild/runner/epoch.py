"""`output.sourceDateEpoch`: the time of the commit that is built, as the argument that BuildKit reads, and the cache.

BuildKit lowers the times of files to that time, and raises none: the files of a layer that comes from the cache of an
older commit keep their older time. So that what is built the same has the same digest each time has a cache of its own.
"""

from __future__ import annotations

import dataclasses

from imagebuild.contract.plan import BranchCache, Plan
from imagebuild.contract.reasons import Reason
from imagebuild.runner.problem import Problem
from imagebuild.runner.source import Source

__all__ = ["cache", "with_commit_time"]


def cache(plan: Plan, source: Source) -> BranchCache | None:
    """The branch cache, where the plan has one."""
    time = source.commit_time if plan.output.commit_time else plan.output.time
    if plan.cache is None or time is None:
        return plan.cache
    return dataclasses.replace(plan.cache, scope=f"{plan.cache.scope}@{time}")


def with_commit_time(plan: Plan, source: Source) -> Plan:
    """The plan with the time among its arguments, where it asks for that."""
    if not plan.output.commit_time:
        return plan
    if not source.commit_time:
        raise Problem(Reason.SPEC_INVALID, "output.sourceDateEpoch: Commit needs a source from git")
    return dataclasses.replace(plan, args=(*plan.args, "--opt", f"build-arg:SOURCE_DATE_EPOCH={source.commit_time}"))
