"""kopf: watches, and nothing else. Its handlers only say what has changed; all work is done from the queue.

on.create, timers and indices are not used: they write to the object, run on stale state, or cost O(n²) at start.
"""

from __future__ import annotations

import itertools
import logging
from typing import Any, cast

import kopf

from imagebuild.api import names
from imagebuild.controller.app import App

_IDLE_SECONDS = 0.5
_PAGE = 500
_RETRY_SECONDS = 10


class _Nowhere(kopf.DiffBaseStorage, kopf.ProgressStorage):
    """kopf is to write nothing to objects, and to compare nothing on each event."""

    def __init__(self) -> None:
        pass

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> Any:
        return None

    def clear(self, *, essence: Any) -> Any:
        return essence

    def store(self, **_: Any) -> None:
        pass

    purge = touch = store


def configure(settings: kopf.OperatorSettings) -> None:
    settings.persistence.diffbase_storage = settings.persistence.progress_storage = _Nowhere()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    # as a tuple: the form "v1/pods" matches nothing and says nothing
    settings.watching.label_selectors["v1", "pods"] = f"{names.MANAGED_BY}={names.MANAGER}"
    settings.watching.chunk_size = _PAGE
    settings.queueing.idle_timeout = _IDLE_SECONDS
    # for ever: the default gives up after 54 s and ends the process
    settings.networking.error_backoffs = itertools.repeat(_RETRY_SECONDS)


def registry(app: App) -> kopf.OperatorRegistry:
    handlers = kopf.OperatorRegistry()
    for library in ("kopf", "aiohttp.access"):
        logging.getLogger(library).setLevel(logging.WARNING)

    @kopf.on.login(registry=handlers)
    def login(**kwargs: Any) -> Any:
        return kopf.login_with_service_account(**kwargs) or kopf.login_via_client(**kwargs)

    @kopf.on.startup(registry=handlers)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings)
        await app.start()

    @kopf.on.cleanup(registry=handlers)
    async def end(**_: Any) -> None:
        await app.end()

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=handlers)
    async def on_build(event: Any, **_: Any) -> None:
        put = app.store.drop_build if event["type"] == "DELETED" else app.store.put_build
        app.news(put(cast("dict[str, Any]", event["object"])))

    @kopf.on.event("v1", "pods", registry=handlers)
    async def on_pod(event: Any, **_: Any) -> None:
        put = app.store.drop_pod if event["type"] == "DELETED" else app.store.put_pod
        app.news(put(cast("dict[str, Any]", event["object"])))

    @kopf.on.probe(registry=handlers)
    def alive(**_: Any) -> str:
        if app.broken:
            # the only exception that answers at once; any other leaves the probe hanging
            raise kopf.PermanentError(app.broken)
        return "ok"

    return handlers
