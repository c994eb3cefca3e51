"""Where the time of a build went: the phases, from its status and its pod, and the steps, from its log. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from imagebuild.cli import view
from imagebuild.cli.steps import Steps
from imagebuild.cli.view import View
from imagebuild.contract.timeline import State, Step

__all__ = ["EXPORT", "INTERNAL", "PHASES", "Span", "document", "number", "of_step", "spans"]

PHASES, EXPORT, INTERNAL = "phases", "export", "internal"
_STAGE = re.compile(r"^\[(?:(?P<stage>[^\s\]]+(?: [^\s\]]+)*?) +| *)(?P<number>\d{1,6})/\d+\] ")
"""`[build 2/3] RUN …`; with a platform, `[linux/amd64 build 2/3] RUN …`."""
_EXPORTS = ("exporting ", "pushing ")
_FAR = timedelta(days=3650)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    group: str
    """PHASES, EXPORT, INTERNAL, or `stage NAME`."""
    name: str
    start: datetime
    seconds: float
    state: State = State.DONE

    @property
    def end(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)


def spans(build: View, pod: Mapping[str, Any], steps: Steps | None, now: datetime) -> list[Span]:
    """In the order of their groups: phases, what BuildKit does by itself, stages by their beginning, export."""
    done = [of_step(steps.timeline.since, step) for step in steps.timeline.steps] if steps else []
    began = datetime.fromtimestamp(_sane(steps.timeline.since), UTC) if steps and done else None
    inner = sorted(done, key=lambda span: span.start)
    stages = dict.fromkeys(span.group for span in inner if span.group not in (EXPORT, INTERNAL))
    order = {group: place for place, group in enumerate([INTERNAL, *stages, EXPORT])}
    return [*_phases(build, pod, began, now), *sorted(inner, key=lambda span: (order[span.group], number(span)))]


def document(build: View, found: list[Span], steps: Steps | None, note: str) -> dict[str, Any]:
    """The same facts for programs."""
    return {
        "name": build.name,
        "namespace": build.namespace,
        "run": build.run,
        "attempt": build.attempt,
        "phase": build.phase,
        "pod": build.pod,
        "steps": "none" if steps is None else "exact" if steps.exact else "fromLog",
        "omitted": steps.timeline.more if steps else 0,
        **({"note": note} if note else {}),
        "spans": [
            {
                "group": span.group,
                "name": span.name,
                "start": span.start.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "seconds": round(span.seconds, 3),
                "state": span.state.value,
            }
            for span in found
        ],
    }


def of_step(since: float, step: Step) -> Span:
    return Span(
        group=_group(step.name),
        name=step.name,
        start=datetime.fromtimestamp(_sane(since), UTC) + timedelta(seconds=_bounded(step.start)),
        seconds=_bounded(step.seconds),
        state=step.state,
    )


def _sane(moment: float) -> float:
    """Any pod can say anything: a time that a calendar has."""
    return min(max(moment, 0.0), 4e9)


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), _FAR.total_seconds())


def _group(name: str) -> str:
    if (found := _STAGE.match(name)) is not None:
        return f"stage {found['stage']}" if found["stage"] else "Dockerfile"
    return EXPORT if name.startswith(_EXPORTS) else INTERNAL


def number(span: Span) -> int:
    """Of a stage's steps, which follow each other; cached ones are looked up in any order."""
    found = _STAGE.match(span.name)
    return int(found["number"]) if found else 0


def _phases(build: View, pod: Mapping[str, Any], solving: datetime | None, now: datetime) -> Iterator[Span]:
    """Of the newest attempt; what came before it is part of the wait."""
    spent = build.of("timings")
    queued, started = view.time(build.status.get("queuedAt")), view.time(build.status.get("startedAt"))
    created = view.time((pod.get("metadata") or {}).get("creationTimestamp")) or _before(started, spent.get("pod"))
    if queued:
        name = "queue" if build.attempt <= 1 else "queue, attempts before"
        waiting = created is None and not build.over
        end = created or (now if waiting else view.time(build.status.get("finishedAt")) or queued)
        yield _phase(name, queued, end, running=waiting)
    if created:
        yield from _start(pod, created, started, now, over=build.over)
    if started:
        yield from _inside(build, started, solving, now)


def _start(
    pod: Mapping[str, Any], created: datetime, started: datetime | None, now: datetime, *, over: bool
) -> Iterator[Span]:
    """Until the container runs; in two where the pod can be seen."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    scheduled: Mapping[str, Any] = next((each for each in conditions if each.get("type") == "PodScheduled"), {})
    placed = view.time(scheduled.get("lastTransitionTime")) if scheduled.get("status") == "True" else None
    if placed:
        yield _phase("schedule", created, placed)
    if started or not over:
        name = "container start" if placed else "pod start" if started or not pod else "schedule"
        yield _phase(name, placed or created, started or now, running=started is None)


def _inside(build: View, started: datetime, solving: datetime | None, now: datetime) -> Iterator[Span]:
    """The later of fetch and daemon ends where the first step begins; the container's start has whole seconds only."""
    spent = {key: _number(value) for key, value in build.of("timings").items()}
    finished = view.time(build.status.get("finishedAt"))
    if not any(spent.values()) or build.attempt_open:
        if not build.over:
            yield _phase("fetch and daemon", started, solving or now, running=solving is None)
        return
    ready = max(spent.get("fetch", 0.0), spent.get("daemon", 0.0))
    began = max(started, solving - timedelta(seconds=ready)) if solving else started
    for name in ("fetch", "daemon"):
        if spent.get(name):
            yield Span(group=PHASES, name=name, start=began, seconds=spent[name])
    if solving is None and spent.get("solve"):
        start = began + timedelta(seconds=max(0.0, spent.get("total", 0.0) - spent["solve"]))
        yield _phase("build, push, cache", start, finished or start, seconds=spent["solve"])


def _phase(name: str, start: datetime, end: datetime, *, running: bool = False, seconds: float | None = None) -> Span:
    took = max(0.0, (end - start).total_seconds()) if seconds is None else seconds
    return Span(group=PHASES, name=name, start=start, seconds=took, state=State.RUNNING if running else State.DONE)


def _before(moment: datetime | None, seconds: Any) -> datetime | None:
    return moment - timedelta(seconds=_number(seconds)) if moment and seconds is not None else None


def _number(value: Any) -> float:
    return _bounded(float(value)) if isinstance(value, int | float) else 0.0
