"""The running operator: its parts, put together, and its tasks, watched over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from imagebuild.controller.cluster import ApiError, Cluster, Document
from imagebuild.controller.configfile import ConfigFile
from imagebuild.controller.queue import WorkQueue
from imagebuild.controller.reconcile import Reconciler
from imagebuild.controller.slots import Slots
from imagebuild.controller.store import Store
from imagebuild.core.admit import Key

_log = logging.getLogger(__name__)

_WORKERS = 20
_SWEEP_EVERY_SECONDS = 300.0


class App:
    """Everything that lives as long as the process."""

    def __init__(self, cluster: Cluster, config: ConfigFile, stop: asyncio.Event) -> None:
        self.store, self.queue, self._stop = Store(), WorkQueue(), stop
        self._cluster, self._config = cluster, config
        self._slots = Slots(self.store, self.queue, lambda: config.current.limits)
        self._reconciler = Reconciler(cluster, self.store, self.queue, self._slots, lambda: config.current)
        self._tasks: list[asyncio.Task[None]] = []
        self.broken: str | None = None
        """Why the operator must end, if it must."""

    async def start(self) -> None:
        """Reads the whole cluster before the first decision, then starts the workers."""
        await self.sweep()
        for key in self.store.all():
            self.queue.add(key)
        workers = [self.queue.work(self._reconciler.reconcile) for _ in range(_WORKERS)]
        for name, work in [("admission", self._slots.run()), ("config", self._config.follow())]:
            self._supervise(name, work)
        self._supervise("sweep", self._sweep_for_ever())
        for number, worker in enumerate(workers):
            self._supervise(f"worker {number}", worker)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._cluster.close()

    def news(self, key: Key | None) -> None:
        """Something about this ImageBuild has changed."""
        if key is not None:
            self.queue.add(key)
            self._slots.poke()

    async def sweep(self) -> None:
        """Compares the view with whole lists: kopf never reports a deletion that fell into a broken watch."""
        for key in await self._replaced():
            self.news(key)

    async def _replaced(self) -> set[Key]:
        builds, builds_version = await _whole(self._cluster.builds())
        pods, pods_version = await _whole(self._cluster.pods())
        return self.store.replace_builds(builds, builds_version) | self.store.replace_pods(pods, pods_version)

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_EVERY_SECONDS)
            try:
                await self.sweep()
            except (ApiError, OSError, TimeoutError) as error:
                _log.warning(
                    "sweep: %s: %s; the next one is in %.0f s", type(error).__name__, error, _SWEEP_EVERY_SECONDS
                )

    def _supervise(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """None of the tasks ends by itself; one that did would leave an operator that looks alive and does nothing."""
        if task.cancelled():
            return
        self.broken = f"the task {task.get_name()} ended"
        _log.critical("%s; the operator ends and is started again", self.broken, exc_info=task.exception())
        self._stop.set()


async def _whole(pages: AsyncIterator[Document]) -> tuple[list[Document], int]:
    """All items of a list, and the version it is as of."""
    items: list[Document] = []
    version = 0
    async for page in pages:
        version = version or int(page["metadata"]["resourceVersion"])
        items += page["items"]
    return items, version
