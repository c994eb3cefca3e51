"""/livez, /readyz and /metrics, in the operator's own event loop: that they answer at all says that it turns.

kopf's own endpoint is not used: it starts with its watches, so one that waits for its CRD would have none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

Problem = Callable[[], str]
"""What is wrong, as a sentence; empty where nothing is."""


@asynccontextmanager
async def serving(listen: str, alive: Problem, ready: Problem, metrics: Callable[[], bytes]) -> AsyncIterator[None]:
    async def livez(_: web.Request) -> web.Response:
        return _said(alive(), 500)

    async def readyz(_: web.Request) -> web.Response:
        return _said(ready(), 503)

    async def exposition(_: web.Request) -> web.Response:
        return _closing(web.Response(body=metrics(), headers={"Content-Type": CONTENT_TYPE_LATEST}))

    application = web.Application()
    application.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", exposition)])
    runner = web.AppRunner(application, handle_signals=False, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        address = urlsplit(f"//{listen}")
        await web.TCPSite(runner, address.hostname, address.port).start()
        yield
    finally:
        await runner.cleanup()


def _said(problem: str, code: int) -> web.Response:
    return _closing(web.Response(text=f"{problem or 'ok'}\n", status=code if problem else 200))


def _closing(response: web.Response) -> web.Response:
    """A connection that is kept has a task, and kopf waits at its end for each task in the loop."""
    response.force_close()
    return response
