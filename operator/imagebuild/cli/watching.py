"""One ImageBuild as it changes, whatever becomes of the connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from imagebuild.cli.exits import Exit
from imagebuild.cli.problem import ApiError, Problem

__all__ = ["Source", "changes"]

Document = dict[str, Any]

_NOT_FOUND, _GONE = 404, 410
_AGAIN = {0, 401, 429, 500, 502, 503, 504}
"""No answer, and answers that change by themselves; 401 while an exec plugin fetches the next token."""
_PATIENCE = 40
_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0


class Source(Protocol):
    def build(self, name: str) -> Document: ...

    def watch(self, name: str, resource_version: str) -> Iterator[tuple[str, Document]]: ...


def changes(source: Source, name: str, pause: Callable[[float], Any] = time.sleep) -> Iterator[Document]:
    """The ImageBuild as it is, and whenever it has changed. Raises Problem when it is deleted, ApiError when the API
    server refuses, or has not answered for about six minutes.
    """
    current: Document | None = None
    troubles = 0
    while True:
        try:
            fresh = source.build(name)
            if current is None or _other(current, fresh):
                current = fresh
                yield current
            for kind, found in source.watch(name, fresh["metadata"]["resourceVersion"]):
                if kind == "DELETED":
                    raise _deleted(name)
                current, troubles = found, 0
                yield current
            troubles = 0
        except ApiError as error:
            if current is None:
                raise
            troubles = _suffered(error, name, troubles)
        pause(min(_PAUSE_SECONDS * 2**troubles, _LONGEST_PAUSE_SECONDS))


def _other(current: Document, fresh: Document) -> bool:
    """Has it changed while nobody watched? Raises Problem where it is another one of the same name."""
    if current["metadata"].get("uid") != fresh["metadata"].get("uid"):
        raise _deleted(fresh["metadata"]["name"])
    return bool(current["metadata"]["resourceVersion"] != fresh["metadata"]["resourceVersion"])


def _suffered(error: ApiError, name: str, troubles: int) -> int:
    if error.status == _NOT_FOUND:
        raise _deleted(name) from error
    if error.status == _GONE:
        return troubles
    if error.status not in _AGAIN or troubles >= _PATIENCE:
        raise error
    return troubles + 1


def _deleted(name: str) -> Problem:
    return Problem(f"The ImageBuild {name} was deleted.", code=Exit.STOPPED)
