"""A command at a running build that is told to end: what it hears, and what it makes of it."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator, Mapping
from typing import Any

from imagebuild.cli.attach import Attached
from imagebuild.cli.logs import Line
from imagebuild.cli.terminal import Screen
from unit.clidocuments import FIRST, build

CANCELLED = build(4, phase="Failed", reason="Cancelled", run=1, attempt=1, podName="shop-1")


class Cluster:
    """A build that runs until it is cancelled."""

    namespace = "n"

    def __init__(self) -> None:
        self.document, self.cancels = FIRST, 0

    def build(self, _name: str) -> dict[str, Any]:
        return self.document

    def watch(self, _name: str, _version: str) -> Iterator[tuple[str, dict[str, Any]]]:
        yield from ()

    def log(self, _pod: str, _container: str, **_how: object) -> Iterator[bytes]:
        yield b"2026-11-24T12:00:00.0Z one\n"

    def patch(self, _name: str, _patch: Mapping[str, Any]) -> dict[str, Any]:
        self.document, self.cancels = CANCELLED, self.cancels + 1
        return self.document


def test_being_told_twice_to_end_cancels_once_and_is_waited_for() -> None:
    """As a CI system does that sends TERM to a whole group, and to its shell."""
    cluster = Cluster()

    def line(_: Line) -> None:
        if not cluster.cancels:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)

    attached = Attached(cluster, "shop", Screen(io.StringIO()), line, cancel_on_interrupt=True)  # type: ignore[arg-type]
    assert attached.result(20).reason == "Cancelled"
    assert cluster.cancels == 1
