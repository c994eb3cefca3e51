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
    pods: Iterable[Pod], told: Callable[[Key, Observation], bool], retention: Retention, now: datetime
) -> list[Pod]:
    """Those to delete: too old, or more than their ImageBuild or namespace may keep. The newest ones stay, and those
    of whom not all is told."""
    kept = [(key, seen) for key, seen in pods if told(key, seen)]
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


def told(build: ImageBuild, seen: Observation) -> bool:
    """The status has all that the pod had to say. A pod whose ImageBuild is gone is the garbage collector's."""
    status = build.status
    pod_uid = None if status.over else status.pod_uid
    return is_told(seen, uid=build.uid, newest_attempt=status.newest_attempt, pod_uid=pod_uid)


def is_told(seen: Observation, *, uid: str, newest_attempt: tuple[int, int], pod_uid: str | None) -> bool:
    """The same by what it looks at. `pod_uid`: of the attempt under way; none where the run is over."""
    if uid != seen.owner_uid or seen.live or seen.deleting:
        return False
    return (seen.run, seen.attempt) <= newest_attempt and pod_uid != seen.uid


def _ended_at(seen: Observation) -> datetime:
    return seen.finished_at or seen.created_at
