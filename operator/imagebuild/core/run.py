"""Runs: when the build inputs, or a person, ask for a new one.

The hash is over the inputs as written, and is not computed again while the generation stands still: neither an upgrade
of the operator nor a change of a neutral field rebuilds anything.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.status import Phase, Run
from imagebuild.core.observe import Observation


def inputs_hash(inputs: Mapping[str, Any]) -> str:
    """The same for the same inputs, however their keys are ordered."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def due(build: ImageBuild, own: Iterable[Observation], now: datetime) -> Run:
    """The run that should be: the last one, or a new one after it."""
    last = last_run(build, own)
    if last is None:
        return Run(number=1, inputs_hash=inputs_hash(build.inputs), rebuild_at=_asked(build, None, now))
    run, started = last
    changed = _changed(build, run)
    asked = _asked(build, started, now)
    if changed or (asked is not None and asked != run.rebuild_at):
        return Run(number=run.number + 1, inputs_hash=inputs_hash(build.inputs), rebuild_at=asked or run.rebuild_at)
    return run


def marked_done(build: ImageBuild, own: Iterable[Observation], now: datetime) -> Run | None:
    """The run to record as done without building it, if somebody has marked the inputs as they are now as done."""
    last = last_run(build, own)
    if build.done_at is None or not _is_due(build.done_at, last[1] if last else None, now):
        return None
    wanted = inputs_hash(build.inputs)
    if last is None:
        return Run(number=1, inputs_hash=wanted, rebuild_at=_asked(build, None, now))
    run, _ = last
    if build.status.phase is Phase.SUCCEEDED and run.inputs_hash == wanted:
        return None
    return Run(number=run.number + 1, inputs_hash=wanted, rebuild_at=_asked(build, None, now) or run.rebuild_at)


def last_run(build: ImageBuild, own: Iterable[Observation]) -> tuple[Run, datetime | None] | None:
    """The newest run known, and its start: from the status, or from a pod where its status was never written."""
    newest = max(own, key=lambda pod: (pod.run, pod.attempt), default=None)
    written = build.status.run
    if newest is not None and (written is None or newest.run > written.number):
        run = Run(number=newest.run, inputs_hash=newest.inputs_hash, rebuild_at=newest.rebuild_at)
        return run, newest.created_at
    return None if written is None else (written, build.status.queued_at)


def _changed(build: ImageBuild, run: Run) -> bool:
    if build.status.observed_generation == build.generation and build.status.run == run:
        return False
    return inputs_hash(build.inputs) != run.inputs_hash


def _asked(build: ImageBuild, started: datetime | None, now: datetime) -> datetime | None:
    """The time of the rebuild annotation if it is due and newer than the run's start. A time to come waits for it."""
    asked = build.rebuild_at
    return asked.replace(microsecond=0) if asked is not None and _is_due(asked, started, now) else None


def _is_due(asked: datetime, started: datetime | None, now: datetime) -> bool:
    """The time of an annotation has come, and is newer than the last run. Status times have no microseconds."""
    whole = asked.replace(microsecond=0)
    return whole <= now and (started is None or whole > started)


def next_request(build: ImageBuild, now: datetime) -> datetime | None:
    """When the time of an annotation comes, if it is still to come."""
    return min((at for at in (build.rebuild_at, build.done_at) if at is not None and at > now), default=None)
