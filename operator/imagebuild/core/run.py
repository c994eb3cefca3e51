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
from imagebuild.api.status import Run
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
    if build.rebuild_at is None:
        return None
    asked = build.rebuild_at.replace(microsecond=0)
    return asked if asked <= now and (started is None or asked > started) else None


def next_rebuild(build: ImageBuild, now: datetime) -> datetime | None:
    """When the annotation's time comes, if it is still to come."""
    return build.rebuild_at if build.rebuild_at is not None and build.rebuild_at > now else None
