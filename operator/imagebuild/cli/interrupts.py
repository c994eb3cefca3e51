"""Ctrl-C and TERM, the two ways in which people and CI systems stop a command."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["answered"]


@contextmanager
def answered(handler: Callable[..., Any] | signal.Handlers) -> Iterator[None]:
    """Both by the handler, also where a shell has started the command to hear no Ctrl-C; afterwards as before."""
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
