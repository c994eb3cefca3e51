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
from testbed.bench.api import Watch, builds_path, connected, pods_path, watching
from testbed.bench.bare import bare_pod, configuration, is_bare
from testbed.bench.measure import Bed, Group, Row
from testbed.kubectl import Document, Kubectl, until
from testbed.kwok import build, result, simulated_node
from testbed.outside import OutsideOperator, outside_operators
from testbed.space import namespaces

PODS = "pods made for a build"
STATUS_WRITES = "writes of a build's status"
WRITTEN_TO = "ImageBuilds that were written to, and had not changed"
_SETTINGS: dict[str, Any] = {"retention": {"perNamespace": 100_000}}
_WARM = 3
"""The first ones, which do not count: connections are made, and the operator's modules are read."""
_PAUSE = 0.05
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
        yield from _requests(samples, asked)
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
            await bench.one(f"ok-{number}")
            await asyncio.sleep(_PAUSE)
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

    async def one(self, name: str) -> None:
        """A build from its creation to its end, and a bare pod."""
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
        await self._bare(bare_pod(made, self._config, f"bare-{name}"))

    async def _bare(self, manifest: Document) -> None:
        name = manifest["metadata"]["name"]
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
            writes=[changed[uid] for uid in self._uids],
            pods=[pods[uid] for uid in self._uids],
        )


def _owner(pod: Document) -> str:
    """The uid of the ImageBuild that the operator has made it for, if it has."""
    return "" if is_bare(pod) else pod["metadata"]["ownerReferences"][0]["uid"]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _latencies(samples: Samples) -> Iterator[Row]:
    reach = ("ratio ≤ 3", "p99 ≤ 100")
    yield _row(_STARTED, "ms", _milliseconds(samples.started), beside=_RAW, reach=reach)
    yield _row(_RAW, "ms", _milliseconds(samples.raw), note="Sent by the same client as the ImageBuild's, in turns")
    yield _row(_RAW_SEEN, "ms", _milliseconds(samples.raw_seen), note="What watching adds to either")
    yield _row(_ENDED, "ms", _milliseconds(samples.ended), reach=("p99 ≤ 250",))


def _requests(samples: Samples, asked: Counter[str]) -> Iterator[Row]:
    """Those that change an object are counted by a watch, the others by the operator itself."""
    yield _row(PODS, "", samples.pods, reach=("least ≥ 1", "most ≤ 1"))
    yield _row(STATUS_WRITES, "", samples.writes, reach=("most ≤ 3",))
    others = {
        what: number for what, number in asked.items() if what not in ("create pods", "update imagebuilds/status")
    }
    events = others.pop("create events", 0)
    builds = len(samples.writes)
    yield _row("events posted for a build", "", [events / builds])
    note = f"Counted by the operator: {', '.join(sorted(others)) or 'none'}"
    yield _row("other requests for a build", "", [sum(others.values()) / builds], note=note)


def _standing(space: Kubectl, operator: OutsideOperator, seconds: float) -> Iterator[Row]:
    """The operator starts again, everything is applied again, and then nothing happens."""
    before = space.items("imagebuilds")
    space.apply(*(build(each["metadata"]["name"]) for each in before))
    applied = space.items("imagebuilds")
    assert _statuses(applied) == _statuses(before)
    operator.stop()
    _start(operator)
    used, begun = operator.computed(), time.monotonic()
    time.sleep(seconds)
    busy = 100 * (operator.computed() - used) / (time.monotonic() - begun)
    writes = sum(number for what, number in operator.requests().items() if what.startswith(_CHANGES))
    changed = len(_versions(space.items("imagebuilds")) - _versions(applied))
    note = f"{len(applied):,} finished ones were applied again, and the operator was started again"
    yield _row(WRITTEN_TO, "", [changed], reach=("most ≤ 0",), note=note)
    note = "By its own count, with those"
    yield _row("requests of the operator that write anything meanwhile", "", [writes], reach=("most ≤ 0",), note=note)
    yield _row(
        "CPU of the operator while nothing happens", "% of a core", [busy], note=f"Over {seconds:.0f} s, with those"
    )


def _statuses(builds: list[Document]) -> dict[str, Document]:
    return {build["metadata"]["uid"]: build["status"] for build in builds}


def _versions(builds: list[Document]) -> set[tuple[str, str]]:
    return {(build["metadata"]["uid"], build["metadata"]["resourceVersion"]) for build in builds}


def _milliseconds(seconds: list[float]) -> list[float]:
    return [each * 1000 for each in seconds]


def _row(name: str, unit: str, samples: list[float] | list[int], **more: Any) -> Row:
    return Row(group="control", name=name, unit=unit, samples=tuple(samples), **more)


GROUP = Group(name="control", about="what the operator adds to a build, on an idle cluster", minutes=4, measure=measure)
