"""Many ImageBuilds at once, and as many bare pods by a client that does nothing else."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from imagebuild.api import names
from imagebuild.api.config import OperatorConfig
from imagebuild.api.status import timestamp
from imagebuild.controller.cluster import Cluster
from testbed.bench.api import builds_path, connected, pods_path
from testbed.bench.bare import bare_pod
from testbed.kubectl import Document, Kubectl
from testbed.kwok import build

_WORKERS = 20
"""Requests at once, as the operator has."""
_LOOK, _PATIENCE = 0.02, 600
"""Seconds."""
T = TypeVar("T")


@dataclass(slots=True)
class Burst:
    """Seconds from the first request to the last pod, of both sides in turns."""

    size: int
    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)


async def _each(items: Iterable[T], do: Callable[[T], Awaitable[object]]) -> None:
    """Twenty at a time."""
    left = iter(items)

    async def work() -> None:
        for item in left:
            await do(item)

    await asyncio.gather(*(work() for _ in range(_WORKERS)))


async def builds(space: Kubectl, ids: Iterable[str]) -> tuple[float, list[Document]]:
    """Creates them: how long it took until the namespace had as many pods more, and what was created."""
    async with connected(space) as cluster:
        there = await _count(cluster, space.namespace)
        begun = time.perf_counter()
        made = await _created(cluster, space, map(build, ids))
        async with asyncio.timeout(_PATIENCE):
            while (missing := there + len(made) - await _count(cluster, space.namespace)) > 0:  # noqa: ASYNC110  nothing tells
                # counting costs an API server that has no time to spare: at this pace it is too early until then
                await asyncio.sleep(max(_LOOK, (time.perf_counter() - begun) * missing / len(made) / 2))
        return time.perf_counter() - begun, made


async def marked_done(space: Kubectl, ids: Iterable[str]) -> None:
    """Creates ImageBuilds that an operator calls finished without building them."""
    mark = {names.ANNOTATION_DONE_AT: timestamp(datetime.now(UTC))}
    documents = map(build, ids)
    marked = ({**each, "metadata": {**each["metadata"], "annotations": mark}} for each in documents)
    async with connected(space) as cluster:
        await _created(cluster, space, marked)


def succeeded(space: Kubectl) -> int:
    """As the API server prints it: a tenth of the objects themselves."""
    lines = space("get", "imagebuilds", "--no-headers", timeout=120).splitlines()
    return sum(line.split()[1] == "Succeeded" for line in lines)


async def bare_pods(space: Kubectl, made: list[Document], config: OperatorConfig) -> float:
    """Creates the same pods, and removes them: how long it took until the last one was there."""
    word = secrets.token_hex(3)  # kwok deletes by name, and late: names that come again would lose their pods
    manifests = [bare_pod(document, config, f"bare-{word}-{number}") for number, document in enumerate(made)]
    path = pods_path(space.namespace)
    async with connected(space) as cluster:
        begun = time.perf_counter()
        await _each(manifests, lambda manifest: cluster.call("POST", path, manifest))
        took = time.perf_counter() - begun
        await _removed(cluster, (pods_path(space.namespace, manifest["metadata"]["name"]) for manifest in manifests))
        return took


async def only_created(space: Kubectl, ids: Iterable[str]) -> tuple[float, list[Document]]:
    """Creates ImageBuilds while there is no operator: how long it took, and what was created."""
    async with connected(space) as cluster:
        begun = time.perf_counter()
        made = await _created(cluster, space, map(build, ids))
        return time.perf_counter() - begun, made


async def one_has_run(space: Kubectl, made: list[Document], config: OperatorConfig) -> None:
    """Of these as bare pods, after which the simulated node has come through all that was there before it."""
    manifest = bare_pod(made[0], config, f"last-{secrets.token_hex(3)}")
    path = pods_path(space.namespace, manifest["metadata"]["name"])
    async with connected(space) as cluster, asyncio.timeout(_PATIENCE):
        await cluster.call("POST", pods_path(space.namespace), manifest)
        while (await cluster.call("GET", path))["status"]["phase"] == "Pending":  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(1)
        await _removed(cluster, [path])


async def removed(space: Kubectl, made: list[Document]) -> None:
    async with connected(space) as cluster:
        await _removed(cluster, (builds_path(space.namespace, each["metadata"]["name"]) for each in made))


async def _created(cluster: Cluster, space: Kubectl, documents: Iterable[Document]) -> list[Document]:
    made: list[Document] = []

    async def create(document: Document) -> None:
        made.append(await cluster.call("POST", builds_path(space.namespace), document))

    await _each(documents, create)
    return made


async def _removed(cluster: Cluster, paths: Iterable[str]) -> None:
    at_once = {"gracePeriodSeconds": 0}
    await _each(paths, lambda path: cluster.call("DELETE", path, at_once))


async def touch(space: Kubectl, ids: Iterable[str]) -> None:
    """Changes these ImageBuilds in a way that means nothing."""
    # another word each time: of one that is there the API server makes no event
    patch = {"metadata": {"annotations": {"example.com/touched": secrets.token_hex(4)}}}
    async with connected(space) as cluster:
        merge = "application/merge-patch+json"
        await _each(
            ids, lambda name: cluster.call("PATCH", builds_path(space.namespace, name), patch, content_type=merge)
        )


async def _count(cluster: Cluster, namespace: str) -> int:
    """Of all pods, without reading them."""
    page = await cluster.call("GET", pods_path(namespace), query={"limit": "1"})
    return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))


def pods(space: Kubectl) -> int:
    async def ask() -> int:
        async with connected(space) as cluster:
            return await _count(cluster, space.namespace)

    return asyncio.run(ask())


def ids(start: int, count: int) -> Iterator[str]:
    return (f"ok-{number}" for number in range(start, start + count))
