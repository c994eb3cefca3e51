"""The operator's part of the traces, on its way to the collector, best effort.

A thread sends from a bounded queue, so that a collector that is slow, or away, delays no build, and not the operator's
end either. What is refused twice is not tried again: the status has it all.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from datetime import datetime

from imagebuild.api import names
from imagebuild.api.config import OperatorConfig
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.status import ImageBuildStatus
from imagebuild.contract.spans import document
from imagebuild.controller.store import Store
from imagebuild.core.spans import spans
from imagebuild.core.tracing import resource, url

_log = logging.getLogger(__name__)

_ROOM = 1000
_SECONDS = 5.0
_AGAIN_SECONDS = 2.0
"""Before the second try: a collector whose pod is replaced loses nothing. Once away, none is waited for."""
_LOOK_EVERY_SECONDS = 0.02


class Traces:
    def __init__(self, store: Store, config: Callable[[str], OperatorConfig], dropped: Callable[[int], None]) -> None:
        """`config`: as it is in force in a namespace. `dropped` is told how many spans are lost, in a thread."""
        self._store, self._config, self._dropped = store, config, dropped
        self._queue: queue.Queue[tuple[str, bytes, str, int]] = queue.Queue(_ROOM)
        self._thread: threading.Thread | None = None

    def tell(self, build: ImageBuild, status: ImageBuildStatus, now: datetime) -> None:
        config = self._config(build.namespace)
        if (where := url(config)) is None or status.run is None:
            return
        if not (found := spans(build, status, self._store.pods((build.namespace, build.name)), now)):
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
            self._thread.start()
        body = document(names.MANAGER, resource(build, status.run), found)
        try:
            self._queue.put_nowait((where, body, config.certificate_authorities, len(found)))
        except queue.Full:
            self._dropped(len(found))

    async def drain(self, seconds: float) -> None:
        """Waits until all are sent, but not longer."""
        deadline = time.monotonic() + seconds
        while self._queue.unfinished_tasks and time.monotonic() < deadline:  # noqa: ASYNC110 it is another thread's
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    def _run(self) -> None:
        taken = True
        while True:
            where, body, authorities, number = self._queue.get()
            try:
                _send(where, body, authorities, again=taken)
            except Exception as error:  # noqa: BLE001 no fault of a collector is worth the operator
                self._dropped(number)
                # once, until the collector is there again
                _log.log(logging.WARNING if taken else logging.DEBUG, "traces are lost: %s", error)
                taken = False
            else:
                taken = True
            finally:
                self._queue.task_done()


def _send(where: str, body: bytes, authorities: str, *, again: bool) -> None:
    from imagebuild.contract import otlp  # noqa: PLC0415 only where traces are on

    context = otlp.trusting(text=authorities) if where.startswith("https:") else None
    try:
        otlp.send(where, body, _SECONDS, context)
    except Exception:
        if not again:
            raise
        time.sleep(_AGAIN_SECONDS)
        otlp.send(where, body, _SECONDS, context)
