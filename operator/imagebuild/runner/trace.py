"""BuildKit's own account of a build, `buildctl --trace`: one JSON object a line, with vertices, their logs and errors.

Causes are taken from here and never from the log: a RUN step can print anything, but it cannot write here.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagebuild.runner.times import Times

__all__ = ["Trace", "Vertex"]

_STEP = re.compile(r"^\[(?:[^\]]* )?\d+/\d+\] (?!FROM )")
"""`[2/3] RUN …`, `[stage 2/3] RUN …`, and `[ 2/12] RUN …`: the numbers are as wide as the last one."""
_PUSHED = re.compile(r"^pushing manifest for (\S+)@(sha256:[0-9a-f]{64})$")
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|.)|[\x00-\x08\x0b-\x1f\x7f]")
_LOG_LINES = 30
_LOG_HEAD = 400
_EXPORT, _CACHE_EXPORT = "exporting to ", "exporting cache to "
_LOCAL = ("exporting layers", "preparing build cache for export", "extracting ")
"""What BuildKit works at without a word of how far it has come, and without asking anybody else."""
_FOREIGN_BASE = "InvalidBaseImagePlatform: "
_CANCELLED = "context canceled"


@dataclass(slots=True)
class Vertex:
    name: str
    cached: bool = False
    started: bool = False
    completed: bool = False
    error: str = ""
    head: str = ""
    """How its log begins."""
    log: deque[str] = field(default_factory=lambda: deque(maxlen=_LOG_LINES))

    @property
    def step(self) -> bool:
        """A line of the Dockerfile that could come from the cache."""
        return bool(_STEP.match(self.name))


class Trace:
    """Reads a trace while it is written."""

    def __init__(self, file: Path) -> None:
        self._file, self._offset, self._rest = file, 0, b""
        self._vertices: dict[str, Vertex] = {}
        self._manifest: str | None = None
        self._warnings: list[str] = []
        self._local: set[tuple[str, str]] = set()
        self.times = Times()

    def read(self) -> None:
        """Takes in what was written since the last time."""
        try:
            with self._file.open("rb") as file:
                file.seek(self._offset)
                new = file.read()
        except FileNotFoundError:
            return
        self._offset += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        for line in lines:
            self._take(line)

    @property
    def size(self) -> int:
        """Of what was read so far."""
        return self._offset

    @property
    def under_way(self) -> list[Vertex]:
        """What is being done; the steps of the Dockerfile first."""
        vertices = [vertex for vertex in self._vertices.values() if vertex.started and not vertex.completed]
        return sorted(vertices, key=lambda vertex: not vertex.step)

    @property
    def exports(self) -> bool:
        """Whether images or a cache are being written."""
        return any(vertex.name.startswith((_EXPORT, _CACHE_EXPORT)) for vertex in self.under_way)

    @property
    def computes(self) -> bool:
        """Whether BuildKit packs or unpacks layers."""
        return bool(self._local)

    @property
    def steps(self) -> list[Vertex]:
        return [vertex for vertex in self._vertices.values() if vertex.step]

    @property
    def failed(self) -> Vertex | None:
        """The vertex to blame; the others that show an error were cancelled because of it, or are the cache's.

        None where only cancelled ones show: then the cause is in buildctl's closing line alone.
        """
        return next((vertex for vertex in self._vertices.values() if _to_blame(vertex)), None)

    @property
    def foreign_base(self) -> str:
        """That an image the Dockerfile starts from is of another platform than is built, in BuildKit's words."""
        found = (said for said in self._warnings if said.startswith(_FOREIGN_BASE))
        return next(found, "").removeprefix(_FOREIGN_BASE)

    @property
    def cache_export_error(self) -> str:
        return next((vertex.error for vertex in self._vertices.values() if vertex.name.startswith(_CACHE_EXPORT)), "")

    @property
    def pushed(self) -> str | None:
        """The digest, once every image is pushed.

        A manifest that was refused is "completed" as well, and the image's vertex completes a first time before its
        push begins: only both together say that all is well.
        """
        images = [vertex for vertex in self._vertices.values() if vertex.name.startswith(_EXPORT)]
        done = bool(images) and all(vertex.completed and not vertex.error for vertex in images)
        return self._manifest if done else None

    def only_the_cache_is_left(self, *, push: bool) -> bool:
        """All else is done, the push too where there is one, and the export of the cache still goes on."""
        caches = [vertex for vertex in self._vertices.values() if vertex.name.startswith(_CACHE_EXPORT)]
        done = self.pushed is not None or not push
        return done and any(vertex.started and not vertex.completed for vertex in caches)

    def _take(self, line: bytes) -> None:
        """A line that makes no sense is left out: what it would have told is worth less than the build."""
        with contextlib.suppress(ValueError, TypeError, AttributeError, KeyError):
            document = json.loads(line)
            for entry in document.get("vertexes") or ():
                self._take_vertex(entry)
            for entry in document.get("statuses") or ():
                self._take_status(entry)
            for entry in document.get("logs") or ():
                self._take_log(entry)
            for entry in document.get("warnings") or ():
                self._warnings.append(base64.b64decode(entry["short"]).decode(errors="replace"))

    def _take_vertex(self, entry: dict[str, Any]) -> None:
        vertex = self._vertices.setdefault(entry["digest"], Vertex(entry.get("name", "")))
        vertex.cached = vertex.cached or bool(entry.get("cached"))
        vertex.started = vertex.started or "started" in entry
        vertex.completed = "completed" in entry
        if not vertex.error or _CANCELLED in vertex.error:
            # reported again after the build was given up, a vertex that had failed is "cancelled" too
            vertex.error = entry.get("error", "") or vertex.error
        self.times.vertex(entry)

    def _take_status(self, entry: dict[str, Any]) -> None:
        name, completed = entry.get("id", ""), "completed" in entry
        if completed and (found := _PUSHED.match(name)):
            self._manifest = found[2]
        if name.startswith(_LOCAL):
            (self._local.discard if completed else self._local.add)((entry.get("vertex", ""), name))
        self.times.status(entry)

    def _take_log(self, entry: dict[str, Any]) -> None:
        vertex = self._vertices.get(entry.get("vertex", ""))
        if vertex is None:
            return
        text = base64.b64decode(entry.get("data", "")).decode(errors="replace")
        if len(vertex.head) < _LOG_HEAD:
            vertex.head += text
        for line in text.splitlines():
            vertex.log.append(_ESCAPES.sub("", line))


def _to_blame(vertex: Vertex) -> bool:
    cache = vertex.name.startswith(("importing cache", _CACHE_EXPORT))
    return bool(vertex.error) and not cache and _CANCELLED not in vertex.error
