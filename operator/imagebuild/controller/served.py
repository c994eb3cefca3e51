"""Whether the API server keeps what this operator writes: the CRD may be older than the operator, or not there.

Fields that a CRD does not know the API server drops without a word, also out of statuses. So an operator that is newer
than the CRD does not begin: it says what is missing, the version before it goes on, and the rollout waits. One that
works when an older CRD is applied ends: else it would build without what people have written, such as spec.trust.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from imagebuild import __version__
from imagebuild.api.crd import crd
from imagebuild.api.names import API_VERSION, KIND
from imagebuild.controller.cluster import ApiError, Cluster, ClusterError

_log = logging.getLogger(__name__)
_OPENAPI = f"/openapi/v3/apis/{API_VERSION}"
_NAMED = 5
"""So many missing fields are named."""


class ServedSchema:
    def __init__(self, cluster: Cluster, pause: float) -> None:
        """`pause`: seconds between two looks."""
        self._cluster, self._pause = cluster, pause
        self.problem = "has not read what the API server knows of ImageBuilds yet"
        """A sentence for /readyz; empty where all is well."""

    async def complete(self, stop: asyncio.Event) -> bool:
        """Returns as soon as all fields are there; False where `stop` came first."""
        while not stop.is_set():
            await self._look()
            if not self.problem:
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._pause)
        return False

    async def lost(self) -> str:
        """What a CRD that was applied since then lacks; empty where that cannot be told now: it is asked again."""
        try:
            served = _kind(await self._cluster.call("GET", _OPENAPI))
        except ClusterError:
            return ""
        return sentence(served) if served else ""

    async def _look(self) -> None:
        problem = await self._found()
        if problem and problem != self.problem:
            _log.error("%s", problem)
        self.problem = problem

    async def _found(self) -> str:
        try:
            document = await self._cluster.call("GET", _OPENAPI)
        except ApiError as error:
            match error.code:
                case 403:  # Kubernetes' own role system:discovery lets everybody read it; somebody took that away
                    _log.warning("cannot tell whether the CRD fits this version: %s", error)
                    return ""
                case 404:
                    return sentence(None)
            return f"cannot read what the API server knows of ImageBuilds: {error}"
        except ClusterError as error:
            return f"cannot read what the API server knows of ImageBuilds: {error}"
        return sentence(_kind(document))


def _kind(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    schemas = document.get("components", {}).get("schemas", {})
    return next((schema for name, schema in schemas.items() if name.endswith(f".{KIND}")), None)


def sentence(served: Mapping[str, Any] | None) -> str:
    """What is missing of a schema that is served, and what to do; empty where nothing is."""
    cure = f"apply crds/ of version {__version__}; until then this operator does not begin"
    if served is None:
        return f"the API server has no {KIND}: {cure}"
    (version,) = crd()["spec"]["versions"]
    missing = list(lacking(version["schema"]["openAPIV3Schema"], served))
    if not missing:
        return ""
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    return f"the CRD is older than this operator and lacks {', '.join(missing[:_NAMED])}{more}: {cure}"


def lacking(wanted: Mapping[str, Any], served: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Paths of the fields that only the first schema has, without those below them."""
    for name, child in wanted.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        there = served.get("properties", {}).get(name)
        if there is None:
            yield here
        else:
            yield from lacking(child, there, here)
    if "items" in wanted:
        yield from lacking(wanted["items"], served.get("items", {}), f"{path}[]")
