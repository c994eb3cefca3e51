"""An API server for ImageBuilds, pods, events and leases in this process, with the bad days of a real one: what each test orders.

It speaks as much of the protocol as kopf and the operator use, holds them to it (409, 410, 422, preconditions), and keeps
a log of the requests. What it keeps is in objects.py, how it says it in protocol.py.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from aiohttp import web

from controller.objects import BUILDS, CLAIMS, KINDS, LEASES, PODS, Change, Document, Key, Objects, RefusedError
from controller.protocol import DISCOVERY, Fault, Request, Watch, error_event, merged, refusal, selector
from imagebuild.api import names

T = TypeVar("T")
DEADLINE_SECONDS = 20.0

_PATH = re.compile(
    rf"/(?:api/v1|apis/{names.API_VERSION}|apis/coordination.k8s.io/v1)(?:/namespaces/(?P<namespace>[^/]+))?"
    r"/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>status))?"
)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class ApiServer:
    def __init__(self, granted: AbstractSet[tuple[str, str]]) -> None:
        """What the operator may do: resources, with their subresources, and verbs."""
        self._granted = set(granted)
        self.rooms: tuple[str, ...] = ()
        """Namespaces to which that is limited. None: it is not."""
        self.objects = Objects()
        self.requests: list[Request] = []
        self.refused: list[tuple[Request, RefusedError]] = []
        """By the server's own rules, not by a test's order."""
        self.faults: list[Fault] = []
        self.url = ""
        self.discovery = dict(DISCOVERY)
        self._news = asyncio.Event()
        self._watches: set[Watch] = set()
        self.objects.listeners.append(self._tell)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[ApiServer]:
        application = web.Application(client_max_size=2**21)
        application.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            for fault in self.faults:
                fault.gate.set()
            self.cut(BUILDS)
            self.cut(PODS)
            await runner.cleanup()

    # what tests order and ask

    def grant(self, *more: tuple[str, str]) -> None:
        self._granted |= set(more)

    def fail(self, verb: str, resource: str, code: int = 0, **more: Any) -> Fault:
        self.faults.append(Fault(verb, resource, code, **more))
        return self.faults[-1]

    def cut(self, plural: str) -> None:
        """All watches end, as they do every few minutes."""
        for watch in self._of(plural):
            self._watches.discard(watch)
            watch.put(None)

    @property
    def watches(self) -> AbstractSet[Watch]:
        """Those that are open."""
        return frozenset(self._watches)

    def silence(self, watches: AbstractSet[Watch]) -> None:
        """They stay open, and nothing comes."""
        self._watches -= watches

    def break_watch(self, plural: str, code: int) -> None:
        """An error inside of the stream. After 410 the history is gone too."""
        if code == 410:
            self.objects.oldest = self.objects.version
        for watch in self._of(plural):
            watch.put(error_event(code))
        self.cut(plural)

    def bookmark(self, plural: str) -> None:
        for watch in self._of(plural):
            meta = {"resourceVersion": str(self.objects.version), "creationTimestamp": None}
            watch.put({"type": "BOOKMARK", "object": {"kind": KINDS[plural][1], "metadata": meta}})

    def watched(self, plural: str) -> bool:
        return bool(self._of(plural))

    def count(self, verb: str, resource: str, name: str | None = None) -> int:
        return sum(
            (request.verb, request.resource) == (verb, resource) and name in (None, request.name)
            for request in self.requests
        )

    async def until(self, what: str, check: Callable[[], T]) -> T:
        """What `check` gives as soon as that is true; it is asked after each change and each request."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while not (found := check()):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            last = "\n".join(str(request) for request in self.requests[-15:])
            kept = json.dumps(self.objects.kept[BUILDS].values(), default=list, indent=1)[-3000:]
            raise AssertionError(f"never seen: {what}\n{last}\n{kept}") from None
        return found

    # the protocol

    async def _answer(self, http: web.Request) -> web.StreamResponse:
        if (found := self.discovery.get(http.path)) is not None:
            return web.json_response(found)
        if (path := _PATH.fullmatch(http.path)) is None:
            return refusal(RefusedError(404, "NotFound", f"no such path: {http.path}"))
        key = (path["namespace"] or "", path["name"] or "")
        resource = path["plural"] + (f"/{path['sub']}" if path["sub"] else "")
        read = "get" if key[1] else "watch" if "watch" in http.query else "list"
        body = await http.json() if http.can_read_body else {}
        name = key[1] or (body.get("metadata") or {}).get("name", "")
        request = Request(_VERBS.get(http.method, read), resource, key[0], name, http.query.get("labelSelector", ""))
        self.requests.append(request)
        try:
            self._authorize(request)
            return await self._carried_out(http, request, path["plural"], body)
        except RefusedError as error:
            self.refused.append((request, error))
            return refusal(error)
        finally:
            self._news.set()

    def _authorize(self, request: Request) -> None:
        elsewhere = self.rooms and request.resource != LEASES and request.namespace not in self.rooms
        if elsewhere or (request.resource, request.verb) not in self._granted:
            told = f'User "operator" cannot {request.verb} resource "{request.resource}"'
            raise RefusedError(403, "Forbidden", f"{request.resource} is forbidden: {told}")

    async def _carried_out(
        self, http: web.Request, request: Request, plural: str, body: Document
    ) -> web.StreamResponse:
        fault = next((each for each in self.faults if each.meets(request)), None)
        if fault is None:
            return await self._done(http, request, plural, body)
        fault.met += 1
        answer = await self._done(http, request, plural, body) if fault.late or fault.lost else None
        self._news.set()
        await fault.gate.wait()
        if fault.code:
            message = fault.message or "out of order"
            return refusal(RefusedError(fault.code, fault.reason, message), fault.headers)
        if fault.lost or http.transport is None or http.transport.is_closing():
            if http.transport is not None:
                http.transport.abort()
            return answer or web.Response()
        return answer or await self._done(http, request, plural, body)

    async def _done(self, http: web.Request, request: Request, plural: str, body: Document) -> web.StreamResponse:
        if request.verb == "watch":
            return await self._watch(http, plural, request.namespace)
        if request.verb == "list":
            return web.json_response(self._list(http, plural, request.namespace))
        document = self._one(request, (request.namespace, request.name), body)
        return web.json_response(document, status=201 if request.verb == "create" else 200)

    def _one(self, request: Request, key: Key, body: Document) -> Document:
        if request.verb in ("update", "patch", "delete"):
            self._guard(request, key, body)
        match request.verb, request.resource:
            case "get", "imagebuilds" | "pods" | "leases" | "persistentvolumeclaims":
                return self.objects.get(request.resource, key)
            case "create", "pods" | "events" | "leases" | "persistentvolumeclaims":
                return self.objects.create(request.resource, body)
            case "update", "leases":
                return self.objects.replace(LEASES, key, body)
            case "update", "imagebuilds/status":
                return self.objects.replace_status(BUILDS, key, body)
            case "patch", "pods" | "persistentvolumeclaims":
                return self._patch(request.resource, key, body)
            case "delete", "imagebuilds" | "pods" | "persistentvolumeclaims":
                return self.objects.delete(request.resource, key)
            case _:
                raise RefusedError(405, "MethodNotAllowed", f"{request.verb} on {request.resource}")

    def _guard(self, request: Request, key: Key, body: Document) -> None:
        """Optional on a real server. Here the operator must say which object it means, and a status of which version."""
        given = (body.get("preconditions") if request.verb == "delete" else body.get("metadata")) or {}
        if "uid" not in given or (request.verb == "update" and "resourceVersion" not in given):
            raise RefusedError(422, "Invalid", f"{request.verb} of {key[1]} without uid or resourceVersion")
        old = self.objects.get(request.resource.partition("/")[0], key)
        self.objects.guard(old, given["uid"], given.get("resourceVersion"))

    def _patch(self, plural: str, key: Key, patch: Document) -> Document:
        old = self.objects.get(plural, key)
        new = merged(old, patch)
        return self.objects.replace(plural, key, new if plural == CLAIMS else self._pod(key, old, new))

    @staticmethod
    def _pod(key: Key, old: Document, new: Document) -> Document:
        before, after = (document["spec"].get("activeDeadlineSeconds") for document in (old, new))
        if before is not None and (after is None or after > before):
            told = f"Invalid value: {after}: must be less than or equal to previous value"
            raise RefusedError(422, "Invalid", f'Pod "{key[1]}" is invalid: spec.activeDeadlineSeconds: {told}')
        return {**new, "status": old["status"]}

    def _list(self, http: web.Request, plural: str, namespace: str) -> Document:
        start, version = 0, self.objects.version
        if token := http.query.get("continue", ""):
            start, version = (int(part) for part in token.split(":"))
            if version < self.objects.oldest:
                raise RefusedError(410, "Expired", "The provided continue parameter is too old")
        found = self.objects.list(plural, selector(http))
        items = [each for each in found if namespace in ("", each["metadata"]["namespace"])]
        end = start + int(http.query.get("limit", len(items) or 1))
        more = {"continue": f"{end}:{version}"} if end < len(items) else {}
        api_version, kind = KINDS[plural]
        meta = {"resourceVersion": str(version), **more}
        return {"apiVersion": api_version, "kind": f"{kind}List", "metadata": meta, "items": items[start:end]}

    async def _watch(self, http: web.Request, plural: str, namespace: str) -> web.StreamResponse:
        watch = Watch(plural, selector(http), namespace)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(http)
        since = int(http.query.get("resourceVersion") or 0)
        if since < self.objects.oldest:
            watch.put(error_event(410))
            watch.put(None)
        else:
            for change in self.objects.history:
                watch.tell(change, since)
            self._watches.add(watch)
        self._news.set()
        try:
            async for line in watch.lines():
                await response.write(line)
        except ConnectionError:
            pass
        finally:
            self._watches.discard(watch)
        return response

    def _tell(self, change: Change) -> None:
        for watch in list(self._watches):
            watch.tell(change, 0)
        self._news.set()

    def _of(self, plural: str) -> list[Watch]:
        return [watch for watch in self._watches if watch.plural == plural]
