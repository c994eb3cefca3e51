"""`spec.concurrency` as admission sees it: who must not run beside whom."""

from __future__ import annotations

from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.spec import Concurrency, Policy
from imagebuild.api.status import ImageBuildStatus, Phase
from imagebuild.core.admit import Candidate, Group, Member, Progress


def group(build: ImageBuild) -> Group | None:
    """None for a build that stands alone."""
    given = _concurrency(build)
    return (build.namespace, given.group) if given else None


def member(build: ImageBuild, asks: Candidate | None, *, reserved: bool, alive: bool) -> Member | None:
    """None for one that plays no part: it failed, it is suspended, or this operator cannot build it."""
    given, progress = _concurrency(build), _progress(build, asks, reserved=reserved, alive=alive)
    if given is None or progress is None:
        return None
    return Member(
        key=(build.namespace, build.name),
        since=asks.since if asks else build.status.queued_at or build.created_at,
        policy=given.policy or Policy.LATEST,
        order=given.order,
        cancel_running=bool(given.cancel_running),
        progress=progress,
        alive=alive or reserved,
        run=asks.run if asks else build.status.run.number if build.status.run else 1,
    )


def _concurrency(build: ImageBuild) -> Concurrency | None:
    return build.spec.concurrency if build.spec else None


def _progress(build: ImageBuild, asks: Candidate | None, *, reserved: bool, alive: bool) -> Progress | None:
    status = build.status
    if reserved or alive:
        return Progress.UNDER_WAY
    same_run = asks is None or (status.run is not None and asks.run == status.run.number)
    if asks is not None and not (same_run and _had_its_turn(status)):
        return Progress.WAITING
    if status.over:
        return Progress.DONE if status.phase is Phase.SUCCEEDED else None
    if build.deleting or build.unknown_fields or (build.spec is not None and build.spec.suspend):
        return None
    return Progress.UNDER_WAY if _had_its_turn(status) else Progress.WAITING


def _had_its_turn(status: ImageBuildStatus) -> bool:
    """Also one that waits for its next attempt."""
    return bool(status.attempt) or status.waiting_since is not None
