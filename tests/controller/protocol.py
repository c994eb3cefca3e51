"""What an API server is asked, and how it says things: faults, watch streams, errors, lists of what it serves; and how it
reads a merge patch.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from controller.objects import BUILDS, KINDS, PODS, Change, Document, RefusedError
from imagebuild.api import names
from imagebuild.api.crd import crd


@dataclass(frozen=True, slots=True)
class Request:
    verb: str
    resource: str
    """With its subresource: pods, imagebuilds/status."""
    namespace: str = ""
    name: str = ""
    selector: str = ""


def _open() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate


@dataclass(slots=True)
class Fault:
    """What becomes of requests of this verb on this resource, so many times: an error, silence, or a lost answer."""

    verb: str
    resource: str
    code: int = 0
    reason: str = ""
    message: str = ""
    times: float = 1
    name: str = ""
    """Of the object; none: of all."""
    headers: Mapping[str, str] = field(default_factory=dict)
    late: bool = False
    """The request is carried out at once, and the answer waits for the gate."""
    lost: bool = False
    """The request is carried out and never answered."""
    gate: asyncio.Event = field(default_factory=_open)
    """Until it is set there is no answer."""
    met: int = 0

    def meets(self, request: Request) -> bool:
        meant = (self.verb, self.resource, self.name or request.name) == (request.verb, request.resource, request.name)
        return meant and self.met < self.times


class Watch:
    def __init__(self, plural: str, selector: Mapping[str, str], namespace: str = "") -> None:
        """Without a namespace: of all."""
        self.plural, self._selector, self._namespace = plural, selector, namespace
        self._queue: asyncio.Queue[Document | None] = asyncio.Queue()

    def put(self, event: Document | None) -> None:
        """None: the end."""
        self._queue.put_nowait(event)

    def tell(self, change: Change, since: int) -> None:
        meant = change.plural == self.plural and change.version > since
        event = change.event(self._selector) if meant else None
        if event and self._namespace in ("", event[1]["metadata"]["namespace"]):
            self.put({"type": event[0], "object": event[1]})

    async def lines(self) -> AsyncIterator[bytes]:
        while (event := await self._queue.get()) is not None:
            yield json.dumps(event).encode() + b"\n"


def merged(old: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    base = old if isinstance(old, dict) else {}
    changed = {key: merged(base.get(key), value) for key, value in patch.items() if value is not None}
    return {**{key: value for key, value in base.items() if key not in patch}, **changed}


def selector(http: web.Request) -> dict[str, str]:
    pairs = (pair for pair in http.query.get("labelSelector", "").split(",") if pair)
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def error_event(code: int) -> Document:
    told = {410: ("Expired", "too old resource version")}.get(code, ("InternalError", "etcdserver: leader changed"))
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
    return {"type": "ERROR", "object": {**status, "reason": told[0], "message": told[1]}}


def refusal(error: RefusedError, headers: Mapping[str, str] | None = None) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "metadata": {}, "code": error.code}
    said = {**body, "reason": error.reason, "message": error.message}
    return web.json_response(said, status=error.code, headers=headers)


def _resource(plural: str, *verbs: str) -> list[Document]:
    kind = KINDS[plural][1]
    main = {"name": plural, "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": list(verbs)}
    return [main, {**main, "name": f"{plural}/status", "singularName": "", "verbs": ["get", "patch", "update"]}]


_NAMESPACES = {"name": "namespaces", "singularName": "namespace", "namespaced": False, "kind": "Namespace"}
"""kopf waits until it has seen that there are such things."""
_ALL = ("create", "delete", "get", "list", "patch", "update", "watch")
_GROUP_VERSION = {"groupVersion": names.API_VERSION, "version": names.VERSION}
OPENAPI = f"/openapi/v3/apis/{names.API_VERSION}"
DISCOVERY = {
    OPENAPI: {
        "components": {
            "schemas": {
                "dev.imagebuild.v1alpha1.ImageBuild": crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"],
                "dev.imagebuild.v1alpha1.ImageBuildList": {"type": "object"},
            }
        }
    },
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "groups": [{"name": names.GROUP, "versions": [_GROUP_VERSION], "preferredVersion": _GROUP_VERSION}],
    },
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [*_resource(PODS, *_ALL), _NAMESPACES]},
    f"/apis/{names.API_VERSION}": {
        "kind": "APIResourceList",
        "groupVersion": names.API_VERSION,
        "resources": _resource(BUILDS, *_ALL),
    },
}
