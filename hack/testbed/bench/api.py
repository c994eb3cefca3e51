"""The API server, asked as the operator asks it, and a watch that keeps the moment of everything it sees.

The clock is the one of this process. The watch is kubectl's, so that reading it costs little here.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from kubernetes.aio import client, config

from imagebuild.api import names
from imagebuild.controller.cluster import Cluster
from testbed.kubectl import Document, Kubectl

_LINE = 2**22
_PATIENCE = 60.0
_HOUR = 3600


@asynccontextmanager
async def connected(kubectl: Kubectl) -> AsyncIterator[Cluster]:
    configuration = client.Configuration()
    kubeconfig = kubectl.place.kubeconfig
    await config.load_kube_config(kubeconfig, client_configuration=configuration)  # type: ignore[no-untyped-call]
    cluster = Cluster(configuration)
    try:
        yield cluster
    finally:
        await cluster.close()


def builds_path(namespace: str, name: str = "") -> str:
    return f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.PLURAL}" + (f"/{name}" if name else "")


def pods_path(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/pods" + (f"/{name}" if name else "")


@dataclass(frozen=True, slots=True)
class Seen:
    moment: float
    type: str
    document: Document


@dataclass(slots=True)
class Watch:
    seen: list[Seen] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, line: bytes) -> None:
        moment = time.perf_counter()
        event = json.loads(line)
        assert event["type"] != "ERROR", event
        async with self._news:
            self.seen.append(Seen(moment, event["type"], event["object"]))
            self._news.notify_all()

    async def first(self, wanted: Callable[[Document], bool]) -> Seen:
        looked = 0
        async with asyncio.timeout(_PATIENCE), self._news:
            while True:
                for event in self.seen[looked:]:
                    if wanted(event.document):
                        return event
                looked = len(self.seen)
                await self._news.wait()


@asynccontextmanager
async def watching(kubectl: Kubectl, path: str) -> AsyncIterator[Watch]:
    """What is there, and then all that happens."""
    command = kubectl.command("get", "--raw", f"{path}?watch=1&timeoutSeconds={_HOUR}")
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, limit=_LINE)
    watch = Watch()
    reader = asyncio.create_task(_read(process, watch))
    try:
        yield watch
    finally:
        reader.cancel()
        process.kill()
        await process.wait()


async def _read(process: asyncio.subprocess.Process, watch: Watch) -> None:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        await watch.take(line)
