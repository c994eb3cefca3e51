"""Whether this process is to be restarted, and whether it can do its part: the sentences of /livez and /readyz."""

from __future__ import annotations

from imagebuild.controller.app import App
from imagebuild.controller.lease import Lease


def not_alive(app: App, lease: Lease | None) -> str:
    if app.broken:
        return app.broken
    return "the lease task is stuck" if lease is not None and lease.stuck() else ""


def not_ready(app: App, lease: Lease | None) -> str:
    if lease is not None and not lease.held():
        return "" if lease.followed() else "stands by, and could not read the lease just now"
    if not app.swept:
        return "leads, and has not read the cluster yet"
    return "" if app.watching() else "leads, and does not watch the cluster yet"
