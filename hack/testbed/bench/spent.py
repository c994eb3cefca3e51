"""Where the time of one of our builds went: what a watch saw, what the pod's log says, and what the status says."""

from __future__ import annotations

from datetime import datetime

from imagebuild.contract import timeline
from testbed.bench.moments import Key, Moments, is_over
from testbed.kubectl import Document

PARTS = (
    "queue",
    "schedule",
    "container start",
    "fetch and daemon",
    "fetch",
    "daemon",
    "steps and export of the image",
    "push",
    "cache export",
    "end of the runner",
    "kubelet",
    "status",
)
"""fetch and daemon run side by side: they are inside the part of both."""
_PUSH, _CACHE_EXPORT = "pushing the image", "exporting cache to "


def spent(moments: Moments, build: Key, pod: Key, log: str) -> dict[str, float]:
    lines = [line.partition(" ") for line in log.splitlines()]
    timings, end = moments.newest(build)["status"]["timings"], last(log)
    created, placed = moments.seen(pod), moments.seen(pod, _is_placed)
    before = max(timings["fetch"], timings["daemon"])
    inside = _inside([text for _, _, text in lines])
    return {
        "queue": created - moments.seen(build),
        "schedule": placed - created,
        "container start": end - timings["total"] - placed,
        "fetch and daemon": before,
        "fetch": timings["fetch"],
        "daemon": timings["daemon"],
        "steps and export of the image": timings["solve"] - sum(inside.values()),
        **inside,
        "end of the runner": round(timings["total"] - timings["solve"] - before, 3),
        "kubelet": moments.seen(pod, is_over) - end,
        "status": moments.seen(build, is_over) - moments.seen(pod, is_over),
    }


def _inside(lines: list[str]) -> dict[str, float]:
    """What BuildKit does last, from its own account."""
    steps = next((found.steps for line in lines if (found := timeline.parse(line))), ())

    def seconds(name: str) -> float:
        return sum(step.seconds for step in steps if step.name.startswith(name))

    return {"push": seconds(_PUSH), "cache export": seconds(_CACHE_EXPORT)}


def _is_placed(pod: Document) -> bool:
    return "nodeName" in pod["spec"]


def last(log: str) -> float:
    """When its last line was written, of a log with timestamps."""
    return datetime.fromisoformat(log.splitlines()[-1].partition(" ")[0]).timestamp()
