"""kopf: watches, and nothing else. Its handlers only say what has changed; all work is done from the queue.

on.create, timers and indices are not used: they write to the object, run on stale state, or cost O(n²) at start.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from typing import Any

import kopf

from imagebuild.api import names
from imagebuild.controller.app import WATCHER, App
from imagebuild.controller.cluster import Document
from imagebuild.controller.pace import Pace
from imagebuild.core.admit import Key

_IDLE_SECONDS = 0.5
_PAGE = 500


Take = Callable[[Document], Key | None]
Login = Callable[..., kopf.ConnectionInfo | None]


def service_account_or_kubeconfig(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**kwargs) or kopf.login_via_client(**kwargs)


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


def configure(settings: kopf.OperatorSettings, pace: Pace) -> None:
    settings.persistence.diffbase_storage = settings.persistence.progress_storage = _Nowhere()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    # as a tuple: the form "v1/pods" matches nothing and says nothing
    settings.watching.label_selectors["v1", "pods"] = f"{names.MANAGED_BY}={names.MANAGER}"
    settings.watching.chunk_size = _PAGE
    settings.queueing.idle_timeout = _IDLE_SECONDS
    # for ever: the default gives up after 54 s and ends the process
    settings.networking.error_backoffs = itertools.repeat(pace.reconnect)


def registry(app: App, login: Login) -> kopf.OperatorRegistry:
    for library in ("kopf", "aiohttp.access"):
        logging.getLogger(library).setLevel(logging.WARNING)
    handlers = kopf.OperatorRegistry()
    _live(handlers, app, login)
    _watch(handlers, app)
    return handlers


async def begin(app: App) -> None:
    try:
        await app.start()
    except asyncio.CancelledError:
        await app.end()  # kopf cleans up only what it has started
        raise
    except Exception as error:  # noqa: BLE001 kopf would try again once a minute, and the lease would be held meanwhile
        app.give_up("the operator could not start", error)


def _live(handlers: kopf.OperatorRegistry, app: App, login: Login) -> None:
    kopf.on.login(id="login", registry=handlers)(login)

    @kopf.on.startup(id="start", registry=handlers)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings, app.pace)
        await begin(app)

    @kopf.on.cleanup(id="end", registry=handlers)
    async def end(**_: Any) -> None:
        for task in asyncio.all_tasks():
            # where one watch has died kopf forgets to end the other, and waits 5 s for it to do so by itself
            if task.get_name().startswith(WATCHER):
                task.cancel()
        await app.end()


def _watch(handlers: kopf.OperatorRegistry, app: App) -> None:
    def tell(event: Any, put: Take, drop: Take, *, of_its_pod: bool = False) -> None:
        if event["type"] is None:  # from a list
            app.relisted()
        app.news((drop if event["type"] == "DELETED" else put)(event["object"]), of_its_pod=of_its_pod)

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=handlers)
    async def on_build(event: Any, **_: Any) -> None:
        tell(event, app.store.put_build, app.store.drop_build)

    @kopf.on.event("v1", "pods", registry=handlers)
    async def on_pod(event: Any, **_: Any) -> None:
        tell(event, app.store.put_pod, app.store.drop_pod, of_its_pod=True)
