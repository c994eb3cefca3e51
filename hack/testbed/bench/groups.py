"""The groups there are, in the order of the page."""

from __future__ import annotations

from testbed.bench import builds, caches, control, scale, startup, takeover
from testbed.bench.measure import Group

GROUPS: tuple[Group, ...] = (
    control.GROUP,
    scale.GROUP,
    takeover.GROUP,
    builds.GROUP,
    caches.GROUP,
    startup.GROUP,
)
