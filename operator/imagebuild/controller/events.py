"""Kubernetes Events: what `kubectl describe` shows of a build's way, best effort.

One task posts them from a bounded queue, so that an API server that is slow to take them, or takes none, delays no
build. The name is made from what is told, so that it is there once however often it is told: 409 is as good as 201.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from imagebuild.api import names
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.status import ImageBuildStatus, timestamp
from imagebuild.contract.reasons import Reason
from imagebuild.controller.cluster import ApiError, ClusterError, Document

_log = logging.getLogger(__name__)

_ROOM = 1000
_MESSAGE_BYTES = 1024
_NAME_MAX = 253
_HASH_LENGTH = 16
_CONFLICT = 409

_UNTOLD = {Reason.QUEUED, Reason.STARTING}
"""Every build goes through these; with thousands waiting they would cost a write each and say what the status says."""
_NORMAL = {
    Reason.BUILDING,
    Reason.BUILT,
    Reason.ALREADY_BUILT,
    Reason.MARKED_DONE,
    Reason.SUSPENDED,
    Reason.HELD,
    Reason.CANCELLED,
    Reason.SUPERSEDED,
}


class Events:
    def __init__(self, post: Callable[[Document], Awaitable[object]], dropped: Callable[[], None]) -> None:
        self._post, self._dropped = post, dropped
        self._queue: asyncio.Queue[Document] = asyncio.Queue(_ROOM)

    def tell(self, build: ImageBuild, status: ImageBuildStatus, now: datetime) -> None:
        if (event := event_of(build, status, now)) is None:
            return
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._dropped()

    async def run(self) -> None:
        """Posts them, for ever. What is refused once is not tried again: the status has it all."""
        while True:
            event = await self._queue.get()
            try:
                await self._post(event)
            except ClusterError as error:
                if not (isinstance(error, ApiError) and error.code == _CONFLICT):
                    _log.debug("event %s: %s", event["metadata"]["name"], error)
                    self._dropped()
            finally:
                self._queue.task_done()

    async def drain(self, seconds: float) -> None:
        """Waits until all are posted, but not longer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._queue.join()


def event_of(build: ImageBuild, status: ImageBuildStatus, now: datetime) -> Document | None:
    """The event of a step from what `build` says to `status`; none where that is not worth one."""
    reason = status.reason
    number = status.run.number if status.run else 0
    before = (build.status.run.number if build.status.run else 0, build.status.phase, build.status.reason)
    if reason is None or reason in _UNTOLD or before == (number, status.phase, reason):
        return None
    # not by attempt: one that looks every 30 s for a missing Secret would tell the same each time
    told_of = f"{build.uid}/{number}/{status.failures or 0}/{reason}"
    digest = hashlib.sha256(told_of.encode()).hexdigest()[:_HASH_LENGTH]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "namespace": build.namespace,
            "name": f"{names.shorten(build.name, _NAME_MAX - _HASH_LENGTH - 1)}.{digest}",
        },
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "namespace": build.namespace,
            "name": build.name,
            "uid": build.uid,
        },
        "type": "Normal" if reason in _NORMAL else "Warning",
        "reason": reason.value,
        "message": bounded(status.message or reason.row.sentence),
        "source": {"component": names.MANAGER},
        "reportingComponent": names.MANAGER,
        "firstTimestamp": timestamp(now),
        "lastTimestamp": timestamp(now),
        "count": 1,
    }


def bounded(message: str) -> str:
    """At most 1 kB of UTF-8."""
    raw = message.encode()
    if len(raw) <= _MESSAGE_BYTES:
        return message
    return raw[: _MESSAGE_BYTES - len("…".encode())].decode(errors="ignore") + "…"
