"""Cleans up: pods that are kept no longer, and pods whose ImageBuild was deleted without them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from imagebuild.api.config import Retention
from imagebuild.controller.cluster import ApiError, Cluster, ClusterError
from imagebuild.controller.store import Store
from imagebuild.core.retention import expired

_log = logging.getLogger(__name__)
_NOT_FOUND, _CONFLICT = 404, 409


class Janitor:
    def __init__(self, cluster: Cluster, store: Store, retention: Callable[[], Retention]) -> None:
        self._cluster, self._store, self._retention = cluster, store, retention

    async def run(self, every: float) -> None:
        """Runs for ever. What cannot be deleted now is found again the next time."""
        while True:
            await asyncio.sleep(every)
            now = datetime.now(UTC)
            for key, seen in expired(self._store.all_pods(), self._store.told, self._retention(), now):
                await self._delete(key[0], seen.name, seen.uid)
            for namespace, name, uid in self._store.orphans():
                _log.info("%s/%s: deleting this pod, whose ImageBuild is gone", namespace, name)
                await self._delete(namespace, name, uid)

    async def _delete(self, namespace: str, name: str, uid: str) -> None:
        try:
            await self._cluster.delete_pod(namespace, name, uid)
        except ClusterError as error:
            if not (isinstance(error, ApiError) and error.code in (_NOT_FOUND, _CONFLICT)):
                _log.warning("%s/%s: the pod cannot be deleted: %s", namespace, name, error)
