"""A watch that goes on: an API server with much to do ends one that it cannot serve in time, without a word."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Self

from localcluster.work import say
from testbed.kubectl import Kubectl

_HOURS = 6
_AGAIN_SECONDS = 0.2

Process = subprocess.Popen[bytes]


class Follow(AbstractContextManager["Follow"]):
    """Events of a list, from now on. The watch is kubectl's, so that it costs little here."""

    def __init__(
        self,
        kubectl: Kubectl,
        path: str,
        begin: Callable[[list[str]], Process],
        end: Callable[[Process, str], str | None],
    ) -> None:
        """`path`: of the list, with a query. `begin` starts the command of a watch; `end` returns when that has ended,
        with the version to go on from, or None where it makes no sense to go on."""
        self._kubectl, self._path, self._begin, self._end = kubectl, path, begin, end
        self._lock, self._over = threading.Lock(), False
        self._process: Process | None = None

    def __enter__(self) -> Self:
        newest = json.loads(self._kubectl("get", "--raw", f"{self._path}&limit=1"))["metadata"]["resourceVersion"]
        self._thread = threading.Thread(target=self._go_on, args=(newest,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._over = True
            if self._process is not None:
                self._process.kill()
        self._thread.join()

    def _go_on(self, version: str) -> None:
        since: str | None = version
        how = f"&watch=1&allowWatchBookmarks=true&timeoutSeconds={_HOURS * 3600}"
        while since and (process := self._start(f"{self._path}{how}&resourceVersion={since}")):
            since = self._end(process, since)
            process.wait()
            if since and not self._over:
                say(f"the watch of {self._path} has ended, and goes on: what happens meanwhile is seen late")
            time.sleep(_AGAIN_SECONDS)

    def _start(self, path: str) -> Process | None:
        with self._lock:
            if not self._over:
                self._process = self._begin(self._kubectl.command("get", "--raw", path))
            return None if self._over else self._process
