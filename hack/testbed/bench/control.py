"""Group `control`: what the operator adds to a build, one build at a time on an idle cluster.

Pods are on a simulated node and do nothing by themselves: they start and end when this program says so, and so it is
known when they did. All moments are those of one clock, of when this program sent something or its watch saw it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from imagebuild.api.config import OperatorConfig
from imagebuild.contract import layout
from imagebuild.controller.cluster import Cluster
from testbed.bench import burst
from testbed.bench.api import Watch, builds_path, connected, pods_path, watching
from testbed.bench.bare import bare_pod, configuration, is_bare
from testbed.bench.measure import Bed, Group, Row
from testbed.kubectl import Document, Kubectl, until
from testbed.kwok import build, result, simulated_node
from testbed.outside import OutsideOperator, outside_operators, rest
from testbed.space import namespaces

PODS = "pods made for a build"
PODS_ASKED = "requests of the operator to make a pod, for a build"
STATUS_WRITES = "changes of a build's status"
STATUS_ASKED = "requests of the operator to write a status, for a build"
WRITTEN_TO = "finished ImageBuilds that were written to by nobody but the benchmark"
WRITES = "requests of the operator that write anything meanwhile"
_SETTINGS: dict[str, Any] = {"retention": {"perNamespace": 100_000}}
_WARM = 3
"""The first ones, which do not count: connections are made, and the operator's modules are read."""
_PAUSE = 0.05
"""Before each side: the operator has the end of the last build behind it."""
_MERGE = "application/merge-patch+json"
_CHANGES = ("create", "update", "patch", "delete")
_RAW, _RAW_SEEN = "a bare pod: POST sent → answered", "a bare pod: POST sent → seen by a watch"
_STARTED = "an ImageBuild: POST sent → its pod is seen by a watch"
_ENDED = "its pod's end sent → its terminal status is seen by a watch"


@dataclass(slots=True)
class Samples:
    """In the order of builds, in seconds."""

    raw: list[float] = field(default_factory=list)
    raw_seen: list[float] = field(default_factory=list)
    started: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    writes: list[int] = field(default_factory=list)
    """Of its status."""
    pods: list[int] = field(default_factory=list)
    """That were there at any time."""


def measure(bed: Bed) -> Iterator[Row]:
    count, minute = (10, 4.0) if bed.quick else (300, 60.0)
    with (
        namespaces(bed.kubectl, "bench", "control") as (space,),
        simulated_node(bed.kubectl, bed.directory, seconds=None),
        outside_operators(bed.kubectl, bed.directory, _SETTINGS) as (operator,),
    ):
        _start(operator)
        before = operator.requests()
        samples = asyncio.run(_samples(space, count))
        asked = operator.requests() - before
        yield from _latencies(samples)
        yield from _requests(samples, asked, _WARM + count)
        yield from _standing(space, operator, minute)


def _start(operator: OutsideOperator) -> None:
    operator.start()
    until("the operator to be ready", operator.is_ready, seconds=60, pause=0.05)


async def _samples(space: Kubectl, count: int) -> Samples:
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(connected(space))
        builds = await stack.enter_async_context(watching(space, builds_path(space.namespace)))
        pods = await stack.enter_async_context(watching(space, pods_path(space.namespace)))
        bench = _Bench(cluster, space.namespace, builds, pods, configuration(space.place, _SETTINGS))
        for number in range(_WARM + count):
            await bench.both(f"ok-{number}", first=number % 2)
        return bench.samples(_WARM)


class _Bench:
    def __init__(self, cluster: Cluster, namespace: str, builds: Watch, pods: Watch, config: OperatorConfig) -> None:
        self._cluster, self._namespace, self._builds, self._pods, self._config = (
            cluster,
            namespace,
            builds,
            pods,
            config,
        )
        self._taken = Samples()
        self._uids: list[str] = []
        self._like: Document = {}
        """The newest ImageBuild: a bare pod is made as its pod would be."""

    async def both(self, name: str, *, first: int) -> None:
        """A build from its creation to its end, and a bare pod, or the other way round."""
        sides = (self._build, self._bare)
        for side in sides if first or not self._like else sides[::-1]:
            await asyncio.sleep(_PAUSE)
            await side(name)

    async def _build(self, name: str) -> None:
        sent = time.perf_counter()
        made = await self._cluster.call("POST", builds_path(self._namespace), build(name))
        uid = made["metadata"]["uid"]
        created = await self._pods.first(lambda pod: _owner(pod) == uid)
        self._taken.started.append(created.moment - sent)
        self._uids.append(uid)
        pod = created.document["metadata"]["name"]
        await self._pods.first(lambda seen: seen["metadata"]["name"] == pod and "nodeName" in seen["spec"])
        await self._says(pod, "Running", {"running": {"startedAt": _now()}})
        await self._reaches(uid, "Running")
        sent = time.perf_counter()
        ended = {
            "exitCode": 0,
            "reason": "Completed",
            "startedAt": _now(),
            "finishedAt": _now(),
            "message": result(pod),
        }
        await self._says(pod, "Succeeded", {"running": None, "terminated": ended})
        self._taken.ended.append(await self._reaches(uid, "Succeeded") - sent)
        self._like = made

    async def _bare(self, build_name: str) -> None:
        manifest = bare_pod(self._like, self._config, name := f"bare-{build_name}")
        sent = time.perf_counter()
        await self._cluster.call("POST", pods_path(self._namespace), manifest)
        self._taken.raw.append(time.perf_counter() - sent)
        seen = await self._pods.first(lambda pod: pod["metadata"]["name"] == name)
        self._taken.raw_seen.append(seen.moment - sent)
        await self._cluster.call("DELETE", pods_path(self._namespace, name), {"gracePeriodSeconds": 0})

    async def _says(self, pod: str, phase: str, state: Document) -> None:
        """In the kubelet's words."""
        container = {"name": layout.CONTAINER, "image": "simulated", "imageID": "simulated", "restartCount": 0}
        containers = [{**container, "ready": phase == "Running", "state": state}]
        status = {"status": {"phase": phase, "startTime": _now(), "containerStatuses": containers}}
        path = pods_path(self._namespace, pod) + "/status"
        await self._cluster.call("PATCH", path, status, content_type=_MERGE)

    async def _reaches(self, uid: str, phase: str) -> float:
        def there(build: Document) -> bool:
            return bool(build["metadata"]["uid"] == uid and build.get("status", {}).get("phase") == phase)

        return (await self._builds.first(there)).moment

    def samples(self, warm: int) -> Samples:
        """Without the first ones, and with what the watches have counted."""
        pods = Counter(_owner(seen.document) for seen in self._pods.seen if seen.type == "ADDED")
        changed = Counter(seen.document["metadata"]["uid"] for seen in self._builds.seen if seen.type == "MODIFIED")
        taken = self._taken
        return Samples(
            raw=taken.raw[warm:],
            raw_seen=taken.raw_seen[warm:],
            started=taken.started[warm:],
            ended=taken.ended[warm:],
            writes=[changed[uid] for uid in self._uids[warm:]],
            pods=[pods[uid] for uid in self._uids[warm:]],
        )


def _owner(pod: Document) -> str:
    """The uid of the ImageBuild that the operator has made it for, if it has."""
    return "" if is_bare(pod) else pod["metadata"]["ownerReferences"][0]["uid"]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _latencies(samples: Samples) -> Iterator[Row]:
    reach = ("ratio ≤ 3", "p99 ≤ 100")
    yield _row(_STARTED, "ms", _milliseconds(samples.started), beside=_RAW, reach=reach)
    yield _row(
        _RAW,
        "ms",
        _milliseconds(samples.raw),
        note="Sent by the same client as the ImageBuild's, in turns, either first",
    )
    yield _row(_RAW_SEEN, "ms", _milliseconds(samples.raw_seen), note="What watching adds to either")
    yield _row(_ENDED, "ms", _milliseconds(samples.ended), reach=("p99 ≤ 250",))


def _requests(samples: Samples, asked: Counter[str], builds: int) -> Iterator[Row]:
    """What has come of them is counted by a watch, and what was asked for by the operator itself."""
    yield _row(PODS, "", samples.pods, reach=("least ≥ 1", "most ≤ 1"))
    yield _row(STATUS_WRITES, "", samples.writes, reach=("most ≤ 3",))
    others = dict(asked)
    made, written, events = (
        others.pop(what, 0) / builds for what in ("create pods", "update imagebuilds/status", "create events")
    )
    yield _row(PODS_ASKED, "", [made], reach=("most ≤ 1",))
    yield _row(STATUS_ASKED, "", [written], reach=("most ≤ 3",))
    yield _row("events posted for a build", "", [events])
    note = f"Counted by the operator: {', '.join(sorted(others)) or 'none'}"
    yield _row("other requests for a build", "", [sum(others.values()) / builds], note=note)


def _standing(space: Kubectl, operator: OutsideOperator, seconds: float) -> Iterator[Row]:
    """Everything is touched, so that the operator looks at it; it starts again; and then nothing happens."""
    builds = [each["metadata"]["name"] for each in space.items("imagebuilds")]
    asked = operator.requests()
    asyncio.run(burst.touch(space, builds))
    touched = space.items("imagebuilds")
    rest(operator)
    written = _writes(operator.requests() - asked)
    operator.stop()
    _start(operator)
    used, begun = operator.computed(), time.monotonic()
    time.sleep(seconds)
    busy = 100 * (operator.computed() - used) / (time.monotonic() - begun)
    written += _writes(operator.requests())
    changed = len(_versions(space.items("imagebuilds")) - _versions(touched))
    note = f"An annotation of {len(touched):,} was changed, and the operator was started again"
    yield _row(WRITTEN_TO, "", [changed], reach=("most ≤ 0",), note=note)
    yield _row(WRITES, "", [written], reach=("most ≤ 0",), note="By its own count")
    note = f"Over {seconds:.0f} s, with those"
    yield _row("CPU of the operator while nothing happens", "% of a core", [busy], note=note)


def _writes(asked: Counter[str]) -> int:
    return sum(number for what, number in asked.items() if what.startswith(_CHANGES))


def _versions(builds: list[Document]) -> set[tuple[str, str]]:
    return {(build["metadata"]["uid"], build["metadata"]["resourceVersion"]) for build in builds}


def _milliseconds(seconds: list[float]) -> list[float]:
    return [each * 1000 for each in seconds]


def _row(name: str, unit: str, samples: list[float] | list[int], **more: Any) -> Row:
    return Row(group="control", name=name, unit=unit, samples=tuple(samples), **more)


GROUP = Group(name="control", about="what the operator adds to a build, on an idle cluster", minutes=4, measure=measure)
