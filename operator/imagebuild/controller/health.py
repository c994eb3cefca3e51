"""Whether this process is to be restarted, and whether it can do its part: the sentences of /livez and /readyz."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Works(Protocol):
    """The App."""

    @property
    def broken(self) -> str | None: ...
    @property
    def swept(self) -> asyncio.Event: ...
    @property
    def works(self) -> bool: ...
    @property
    def ending(self) -> bool: ...
    def watching(self) -> bool: ...


class Elected(Protocol):
    """The Lease."""

    def held(self) -> bool: ...
    def stuck(self) -> bool: ...
    def followed(self) -> bool: ...


def not_alive(app: Works, lease: Elected | None) -> str:
    if app.broken:
        return app.broken
    return "the lease task is stuck" if lease is not None and lease.stuck() else ""


def not_ready(app: Works, lease: Elected | None) -> str:
    if app.ending:
        return "ends"
    if not app.swept.is_set():
        return "has not read the cluster yet"
    if not app.watching():
        return "does not watch the cluster yet"
    if lease is None or lease.held():
        return "" if app.works else "leads, and has not compared its view of the cluster yet"
    return "" if lease.followed() else "stands by, and could not read the lease just now"
