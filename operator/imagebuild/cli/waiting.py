"""What a build waits for, said in a line: its place in the queue, and whatever else keeps it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from imagebuild.cli.view import View, time
from imagebuild.contract.reasons import Fault, Reason

__all__ = ["place_in_queue", "state"]


def place_in_queue(build: View, others: Iterable[View]) -> tuple[int, int]:
    """Which of how many in the namespace that wait for their turn; of other namespaces one may know nothing."""
    queue = sorted((_since(each), each.name) for each in others if each.reason == Reason.QUEUED)
    mine = (_since(build), build.name)
    return sum(1 for each in queue if each < mine) + 1, max(len(queue), 1)


def _since(build: View) -> str:
    return str(build.status.get("queuedAt") or "")


def state(build: View, place: tuple[int, int] | None, now: datetime) -> str:
    """Such as: Queued: waits for its turn (2nd of 7 in the namespace)."""
    if not build.phase:
        return "Created: waits for the operator to see it"
    if build.reason == Reason.QUEUED:
        where = f" ({_ordinal(place[0])} of {place[1]} in the namespace)" if place else ""
        return f"Queued: {_lower(build.message)}{where}"
    if build.reason == Reason.RETRYING and (at := time(build.status.get("nextRetryAt"))):
        left = max(0, round((at - now).total_seconds()))
        return f"Retrying: {_lower(build.message)}, attempt {build.attempt + 1} in {left} s"
    if build.row and build.row.fault is Fault.WAITING and build.row.next_step:
        return f"{build.reason}: {build.message.removesuffix('.')}. {build.row.next_step}"
    return f"{build.reason}: {build.message}" if build.message else build.reason


def _lower(sentence: str) -> str:
    return (sentence[:1].lower() + sentence[1:]).removesuffix(".")


def _ordinal(number: int) -> str:
    teen = 10 <= number % 100 <= 20  # noqa: PLR2004
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
