"""Whether this process is to be restarted, and whether it can do its part: the sentences of /livez and /readyz."""

from __future__ import annotations

from typing import Protocol


class Works(Protocol):
    """The App."""

    @property
    def broken(self) -> str | None: ...
    @property
    def swept(self) -> bool: ...
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
    leads = lease is None or lease.held()
    if lease is not None and not leads and not lease.followed():
        return "stands by, and could not read the lease just now"
    if app.ending:
        return "ends"
    does = "leads" if leads else "stands by"
    if not app.swept:
        return f"{does}, and has not read the cluster yet"
    return "" if app.watching() else f"{does}, and does not watch the cluster yet"
