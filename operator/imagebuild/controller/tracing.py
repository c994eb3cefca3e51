"""The operator's part of the traces, on its way to the collector, best effort.

One task sends from a bounded queue, so that a collector that is slow, or away, delays no build. What is refused once is
not tried again: the status has it all.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime

from imagebuild.api import names
from imagebuild.api.config import OperatorConfig
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.status import ImageBuildStatus
from imagebuild.contract.spans import document
from imagebuild.controller.store import Store
from imagebuild.core.policy import within
from imagebuild.core.spans import spans
from imagebuild.core.tracing import resource, url

_log = logging.getLogger(__name__)

_ROOM = 1000
_SECONDS = 5.0


class Traces:
    def __init__(self, store: Store, config: Callable[[], OperatorConfig], dropped: Callable[[int], None]) -> None:
        self._store, self._config, self._dropped = store, config, dropped
        self._queue: asyncio.Queue[tuple[str, bytes, int]] = asyncio.Queue(_ROOM)
        self._taken = True
        """The collector took the last request, as far as is known."""

    def tell(self, build: ImageBuild, status: ImageBuildStatus, now: datetime) -> None:
        where = url(within(self._config(), build.namespace))
        if where is None or status.run is None:
            return
        if found := spans(build, status, self._store.pods((build.namespace, build.name)), now):
            body = document(names.MANAGER, resource(build, status.run), found)
            try:
                self._queue.put_nowait((where, body, len(found)))
            except asyncio.QueueFull:
                self._dropped(len(found))

    async def run(self) -> None:
        """Sends them, for ever."""
        while True:
            where, body, number = await self._queue.get()
            try:
                await asyncio.to_thread(_send, where, body, self._config().certificate_authorities)
            except Exception as error:  # noqa: BLE001 no fault of a collector is worth the operator
                self._dropped(number)
                _log.log(logging.WARNING if self._taken else logging.DEBUG, "traces are lost: %s", error)
                self._taken = False
            else:
                self._taken = True
            finally:
                self._queue.task_done()

    async def drain(self, seconds: float) -> None:
        """Waits until all are sent, but not longer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._queue.join()


def _send(where: str, body: bytes, authorities: str) -> None:
    from imagebuild.contract import otlp  # noqa: PLC0415 only where traces are on

    context = otlp.trusting(text=authorities) if where.startswith("https:") else None
    otlp.send(where, body, _SECONDS, context)
