"""The claims that the operator keeps for `cache.volume.template`: made before the first pod that needs one, and deleted
once nobody has used them for long.

A build whose claim is there costs one read more than another one; a template is all that makes one look.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from imagebuild.api import names
from imagebuild.api.config import OperatorConfig
from imagebuild.contract.reasons import Reason
from imagebuild.controller.cluster import ApiError, Cluster, ClusterError, Document
from imagebuild.controller.store import Store
from imagebuild.core.cachevolume import claim, is_same, is_stale, kept_somewhere, unused_claims

_log = logging.getLogger(__name__)

_INVALID, _FORBIDDEN, _NOT_FOUND, _CONFLICT = (400, 422), 403, 404, 409
_NO_RIGHT = re.compile(r"cannot (get|create|patch) resource")
_COMPONENT = "the operator has no right to keep claims: the administrator adds manifests/components/cache-volumes to it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why there is no claim."""

    reason: Reason
    message: str


class ClaimKeeper:
    def __init__(self, cluster: Cluster, store: Store, config: Callable[[], OperatorConfig]) -> None:
        self._cluster, self._store, self._config = cluster, store, config
        self._said = ""

    async def ensure(self, wanted: Document, now: datetime) -> Obstacle | None:
        """None: the claim is there. Raises ClusterError for what is to be tried again without a word."""
        meta = wanted["metadata"]
        try:
            found = await self._found(wanted)
            if not is_same(found, wanted):
                message = f"the claim {meta['name']} is there, and is not one that the operator has made"
                return Obstacle(reason=Reason.CLAIM_REJECTED, message=message)
            if "deletionTimestamp" in found["metadata"]:
                message = f"the claim {meta['name']} is being deleted; it is made anew when it is gone"
                return Obstacle(reason=Reason.CLAIM_MISSING, message=message)
            if is_stale(found, self._config().cache_volumes.unused, now):
                used = {names.ANNOTATION_LAST_USED: meta["annotations"][names.ANNOTATION_LAST_USED]}
                await self._cluster.patch_claim(found, {"metadata": {"annotations": used}})
        except ApiError as error:
            if (obstacle := _obstacle(error)) is None:
                raise
            return obstacle
        return None

    async def _found(self, wanted: Document) -> Document:
        try:
            return await self._cluster.claim(wanted["metadata"]["namespace"], wanted["metadata"]["name"])
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise
        return await self._cluster.create_claim(wanted)

    async def run(self, every: float) -> None:
        """Runs for ever. What cannot be deleted now is found again the next time."""
        while True:
            await asyncio.sleep(every)
            if kept_somewhere(self._config()):
                await self._clean()

    async def _clean(self) -> None:
        try:
            claims = [each async for page in self._cluster.claims() for each in page["items"]]
            used = {claim(build) for build in self._store.unfinished()}
            used |= {found for found, _ in self._store.claims()}
            gone = unused_claims(claims, used, self._config().cache_volumes.unused, datetime.now(UTC))
            for each in gone:
                await self._delete(each)
            self._say("")
        except ClusterError as error:
            self._say(str(error))

    async def _delete(self, found: Document) -> None:
        meta = found["metadata"]
        try:
            await self._cluster.delete_claim(found)
            _log.info("%s/%s: no build has used this claim for long; it is deleted", meta["namespace"], meta["name"])
        except ApiError as error:
            if error.code not in (_NOT_FOUND, _CONFLICT):
                raise

    def _say(self, problem: str) -> None:
        """Once, however often it is met."""
        if problem and problem != self._said:
            _log.warning("claims that nobody uses cannot be cleaned up: %s", problem)
        self._said = problem


def _obstacle(error: ApiError) -> Obstacle | None:
    """None: it may work in a moment, and costs the build nothing."""
    if error.passes:
        return None
    if error.code == _FORBIDDEN and _NO_RIGHT.search(error.message):
        return Obstacle(reason=Reason.CLAIM_MISSING, message=_COMPONENT)
    if error.code == _FORBIDDEN and "exceeded quota" in error.message:
        return Obstacle(reason=Reason.QUOTA_EXCEEDED, message=error.message)
    if error.code in (_FORBIDDEN, *_INVALID):
        return Obstacle(reason=Reason.CLAIM_REJECTED, message=error.message)
    return None
