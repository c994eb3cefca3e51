"""Who may start: the limits on running builds, first come first served, and fair between namespaces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from imagebuild.api.config import Limits

Key = tuple[str, str]
"""Namespace and name of an ImageBuild."""


@dataclass(frozen=True, slots=True)
class Candidate:
    key: Key
    since: datetime
    """When its run was queued."""


def admit(waiting: Iterable[Candidate], running: Iterable[Key], limits: Limits) -> list[Key]:
    """Those that may start now. The namespace with the fewest running goes first, within it whoever waits longest."""
    used = Counter(namespace for namespace, _ in running)
    lines: dict[str, list[Candidate]] = {}
    for candidate in sorted(waiting, key=lambda each: (each.since, each.key), reverse=True):
        lines.setdefault(candidate.key[0], []).append(candidate)
    chosen: list[Key] = []
    while used.total() < limits.running:
        open_lines = [name for name, line in lines.items() if line and used[name] < limits.running_per_namespace]
        if not open_lines:
            break
        namespace = min(open_lines, key=lambda name: (used[name], lines[name][-1].since, name))
        chosen.append(lines[namespace].pop().key)
        used[namespace] += 1
    return chosen
