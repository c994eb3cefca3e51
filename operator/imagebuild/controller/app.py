"""The running operator: its parts, put together, and its tasks, watched over."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from typing import Any

from imagebuild.controller.claims import ClaimKeeper
from imagebuild.controller.cluster import ApiError, Cluster, ClusterError, Document
from imagebuild.controller.configfile import ConfigFile
from imagebuild.controller.events import Events
from imagebuild.controller.janitor import Janitor
from imagebuild.controller.lease import Lease
from imagebuild.controller.metrics import Metrics, Now
from imagebuild.controller.pace import Pace
from imagebuild.controller.queue import WorkQueue
from imagebuild.controller.reconcile import Reconciler
from imagebuild.controller.slots import Slots
from imagebuild.controller.store import Listed, Store
from imagebuild.controller.telemetry import Telemetry
from imagebuild.controller.tracing import Traces
from imagebuild.core.admit import Key

_log = logging.getLogger(__name__)

_WORKERS = 20
_WATCHES = 2
_TAKEOVER = "takeover"
WATCHER = "watcher for "
"""How kopf begins the names of its watches' tasks."""


class App:
    """Everything that lives as long as the process."""

    def __init__(
        self,
        cluster: Cluster,
        config: ConfigFile,
        stop: asyncio.Event,
        pace: Pace,
        *,
        metrics: Metrics,
        lease: Lease | None,
        lost: Callable[[], Awaitable[str]],
    ) -> None:
        """Without a lease it leads. `lost`: why it must write no more, because the CRD has changed, if it must."""
        metrics.show(self._now)
        self._lease = lease
        self._cluster = cluster.guarded(self._leads)
        self.store, self.queue, self._stop = Store(), WorkQueue(pace, metrics.failed), stop
        self._config, self.pace, self._lost = config, pace, lost
        self._slots = Slots(self.store, self.queue, lambda: config.current, pace.slots)
        self._events = Events(self._cluster.create_event, metrics.dropped)
        self._traces = Traces(self.store, config.within, metrics.spans_dropped)
        self._claims = ClaimKeeper(self._cluster, self.store, lambda: config.current)
        self._reconciler = Reconciler(
            self._cluster,
            self.store,
            self.queue,
            self._slots,
            config.within,
            claims=self._claims,
            pace=pace,
            written=Telemetry(metrics, self._events, self._traces).written,
        )
        self._janitor = Janitor(self._cluster, self.store, lambda: config.current.retention)
        self._relisted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.swept = asyncio.Event()
        """It has read the whole cluster, and could lead."""
        self.ending = self.works = False
        self.broken: str | None = None
        """Why the operator must end, if it must."""

    async def start(self) -> None:
        """Reads the whole cluster, and watches it from then on."""
        await self._sweep()
        if self.broken:
            return
        self.swept.set()
        self._relisted.set()  # kopf's first list is still to come
        self._supervise("config", self._config.follow(self.pace.config, self._reconfigured))
        self._supervise("sweep", self._sweep_for_ever())
        if self._lease is None:
            self._work()

    def take_over(self) -> None:
        """It leads, and works as soon as it has compared what it knows with whole lists: by its watches alone it may
        not know what the one that led before has done last, and would do it again."""
        if not self.ending:
            self._supervise(_TAKEOVER, self._take_over())

    async def _take_over(self) -> None:
        await self._sweep()  # little of the lists is news, so they cost little
        if not self.broken:
            self._work()

    def _work(self) -> None:
        self.works = True
        for key, over in self.store.builds():
            self.queue.add(key, later=over)
        self._supervise("events", self._events.run())
        self._supervise("admission", self._slots.run())
        self._supervise("janitor", self._janitor.run(self.pace.clean))
        self._supervise("claims", self._claims.run(self.pace.clean))
        for number in range(_WORKERS):
            self._supervise(f"worker {number}", self.queue.work(self._reconciler.reconcile))

    async def end(self) -> None:
        """The workers first, so that nothing new is to be told; then the events and traces, for a moment."""
        self.ending = True
        poster = [task for task in self._tasks if task.get_name() == "events"]
        await _cancel(task for task in self._tasks if task not in poster)
        if not self.broken:
            await asyncio.gather(self._events.drain(self.pace.drain), self._traces.drain(self.pace.drain))
        await _cancel(poster)
        self._stop.set()  # else kopf waits 5 s for the task that waits for it

    def watching(self) -> bool:
        """All of kopf's watchers are there; it tells nobody else."""
        names = [task.get_name() for task in asyncio.all_tasks() if not task.done()]
        return sum(name.startswith(WATCHER) for name in names) >= _WATCHES * max(1, len(self._cluster.namespaces))

    def news(self, key: Key | None, *, of_its_pod: bool = False) -> None:
        """Something about this ImageBuild has changed. What a pod says as long as it lives can wait."""
        if key is not None and self.works:
            self.queue.add(key, later=of_its_pod and self.store.alive(key))
            self._slots.poke()

    def _reconfigured(self) -> None:
        """Limits, retries, hold: any of it may be what an unfinished build waits for."""
        for build in self.store.unfinished():
            self.news((build.namespace, build.name))

    def relisted(self) -> None:
        """kopf is reading a whole list: its first one, or after a watch broke. What is gone since, it does not say."""
        self._relisted.set()

    async def _sweep(self) -> None:
        """Compares the view with whole lists: kopf never reports a deletion that fell between its watch and list.

        A CRD that changes breaks the watches, too.
        """
        if problem := await self._lost():
            self.give_up(problem, None)
            return
        while True:
            try:
                builds = await self._read(self._cluster.builds(), Listed(self.store.put_build))
                pods = await self._read(self._cluster.pods(), Listed(self.store.put_pod), of_its_pod=True)
            except ClusterError as error:
                asked = error.retry_after if isinstance(error, ApiError) else 0.0
                seconds = max(asked, self.pace.reconnect)
                _log.warning("sweep: %s; trying again in %.0f s", error, seconds)
                await asyncio.sleep(seconds)
            else:
                break
        for key in self.store.keep_builds(builds) | self.store.keep_pods(pods):
            self.news(key)

    async def _read(self, pages: AsyncIterator[Document], listed: Listed, *, of_its_pod: bool = False) -> Listed:
        async for page in pages:
            for key in listed.add(page):
                self.news(key, of_its_pod=of_its_pod)
        return listed

    async def _sweep_for_ever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._relisted.wait(), self.pace.sweep)
            while self._relisted.is_set():  # until the list has ended
                self._relisted.clear()
                await asyncio.sleep(self.pace.relisted)
            await self._sweep()

    def _leads(self) -> bool:
        """Whether it may write."""
        return self._lease is None or self._lease.held()

    def _now(self) -> Now:
        """Builds are those of the one that leads: a sum over replicas has each once."""
        leads = self._leads()
        return Now(
            builds=Counter(self.store.phases() if leads else ()),
            waiting=self._slots.waiting,
            running=len(self.store.live) if leads else 0,
            queued=self.queue.depth,
            leads=leads,
        )

    def _supervise(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Only the takeover ends by itself; another one that did would leave an operator that looks alive and does
        nothing."""
        if task.cancelled() or (task.get_name() == _TAKEOVER and task.exception() is None):
            return
        self.give_up(f"the task {task.get_name()} ended", task.exception())

    def give_up(self, why: str, error: BaseException | None) -> None:
        """Ends the process, which is to be started again."""
        self.broken = why
        _log.critical("%s; the operator ends and is started again", why, exc_info=error)
        self._stop.set()


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
