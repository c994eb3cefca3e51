"""When pods and ImageBuilds changed, to the millisecond, as a watch sees it: what is in them has whole seconds."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from localcluster.work import Failure
from testbed.follow import Follow, Process
from testbed.kubectl import Document, Kubectl

PODS, BUILDS = "/api/v1/pods", "/apis/imagebuild.dev/v1alpha1/imagebuilds"
OVER = {"Succeeded", "Failed"}

Key = tuple[str, str, str]
"""Path of the kind, namespace, name."""


class Moments:
    def __init__(self) -> None:
        self._seen: dict[Key, list[tuple[float, Document]]] = {}
        self._news = threading.Condition()
        self._versions: dict[str, str] = {}
        self._broken = ""

    def read(self, kind: str, lines: Iterable[str | bytes], clock: Callable[[], float] = time.time) -> None:
        try:
            for line in lines:
                self._take(kind, json.loads(line), clock())
        except Exception as error:  # noqa: BLE001  whatever it is, nothing was seen since
            self._broken = repr(error)

    def _take(self, kind: str, event: Document, now: float) -> None:
        document = event["object"]
        if event["type"] == "ERROR":
            self._broken = json.dumps(document)
            return
        meta = document["metadata"]
        self._versions[kind] = meta["resourceVersion"]
        if event["type"] == "BOOKMARK":
            return
        with self._news:
            self._seen.setdefault((kind, meta["namespace"], meta["name"]), []).append((now, document))
            self._news.notify_all()

    def first(self, key: Key, holds: Callable[[Document], bool] = bool) -> float | None:
        """When it first was so."""
        with self._news:
            return next((moment for moment, document in self._seen.get(key, ()) if holds(document)), None)

    def seen(self, key: Key, holds: Callable[[Document], bool] = bool) -> float:
        """The same of what must have been so by now."""
        found = self.first(key, holds)
        assert found is not None, f"the watch has not seen {key}"
        return found

    def version(self, kind: str, before: str) -> str | None:
        """The newest that was seen, or that from before where there is none; None after an error."""
        return None if self._broken else self._versions.get(kind, before)

    def newest(self, key: Key) -> Document:
        with self._news:
            return self._seen[key][-1][1]

    def over(self, key: Key, seconds: float) -> float:
        """When it was over, as soon as it is."""
        deadline = time.monotonic() + seconds
        while (found := self.first(key, is_over)) is None:
            if self._broken or time.monotonic() > deadline:
                raise Failure(
                    f"waiting for {key[2]}", self._broken or f"not over after {seconds:.0f} s", "run it again"
                )
            with self._news:
                self._news.wait(timeout=0.5)
        return found


def is_over(document: Document) -> bool:
    """A pod is as soon as its containers are: the kubelet says so of its phase up to two seconds later."""
    status = document.get("status") or {}
    containers = status.get("containerStatuses") or []
    ended = bool(containers) and all("terminated" in each["state"] for each in containers)
    return ended or status.get("phase") in OVER


@contextmanager
def watching(kubectl: Kubectl) -> Iterator[Moments]:
    """Of all namespaces, from now on."""
    moments = Moments()
    with contextlib.ExitStack() as stack:
        for kind in (PODS, BUILDS):
            stack.enter_context(Follow(kubectl, f"{kind}?", _piped, partial(_end, moments, kind)))
        yield moments


def _piped(command: list[str]) -> Process:
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def _end(moments: Moments, kind: str, process: Process, since: str) -> str | None:
    assert process.stdout is not None
    with process.stdout as lines:
        moments.read(kind, (line for line in lines if line.endswith(b"\n")))  # the last one may come in part
    return moments.version(kind, since)
