"""Which pods of builds that have ended stay, so that their logs can be read. ImageBuilds are nobody's to clean up but
their owner's (`ttlAfterFinished`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from imagebuild.api.config import Retention
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.timespan import seconds
from imagebuild.core.admit import Key
from imagebuild.core.observe import Observation

Pod = tuple[Key, Observation]


def expired(
    pods: Iterable[Pod], build: Callable[[Key], ImageBuild | None], retention: Retention, now: datetime
) -> list[Pod]:
    """Those to delete: too old, or more than their ImageBuild or namespace may keep. The newest ones stay."""
    kept = [(key, seen) for key, seen in pods if _is_told(build(key), seen)]
    kept.sort(key=lambda pod: (_ended_at(pod[1]), pod[1].run, pod[1].attempt), reverse=True)
    oldest = now - timedelta(seconds=seconds(retention.age))
    of_build: dict[Key, int] = defaultdict(int)
    of_namespace: dict[str, int] = defaultdict(int)
    found = []
    for key, seen in kept:
        enough = of_build[key] >= retention.per_build or of_namespace[key[0]] >= retention.per_namespace
        if enough or _ended_at(seen) <= oldest:
            found.append((key, seen))
        else:
            of_build[key] += 1
            of_namespace[key[0]] += 1
    return found


def _is_told(build: ImageBuild | None, seen: Observation) -> bool:
    """The status has all that the pod had to say. A pod whose ImageBuild is gone is the garbage collector's."""
    if build is None or build.uid != seen.owner_uid or seen.live or seen.deleting:
        return False
    status = build.status
    return (seen.run, seen.attempt) <= status.newest_attempt and (status.over or status.pod_uid != seen.uid)


def _ended_at(seen: Observation) -> datetime:
    return seen.finished_at or seen.created_at
