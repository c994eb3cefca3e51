"""The node's side of a pod's life, moved by hand: a test says when a pod starts and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import make
from controller.objects import PODS, Change, Document, Key, Objects
from imagebuild.api.status import timestamp


def clock() -> float:
    """The time now in seconds of make.at()."""
    return (datetime.now(UTC) - make.START).total_seconds()


class Kubelet:
    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def start(self, name: str, namespace: str = "team-a", taken: str = "") -> None:
        """The pod has a node since `taken`, and its container runs."""
        self.report((namespace, name), {**make.running(clock()), "startTime": taken or timestamp(datetime.now(UTC))})

    def end(self, name: str, status: Document | None = None, namespace: str = "team-a") -> None:
        """With what make.built(), make.broken(), make.killed() say; a pod that was deleted then goes."""
        key = (namespace, name)
        self.report(key, status or make.built(clock()))
        if "deletionTimestamp" in self._objects.get(PODS, key)["metadata"]:
            self._objects.remove(PODS, key)

    def vanish(self, name: str, namespace: str = "team-a") -> None:
        """As with `kubectl delete --force`, or a node that is gone: nobody ever says how the build ended."""
        self._objects.remove(PODS, (namespace, name))

    def report(self, key: Key, status: Document) -> None:
        pod = self._objects.get(PODS, key)
        spec = {**pod["spec"], "nodeName": "node-1"}
        self._objects.replace(PODS, key, {**pod, "spec": spec, "status": status})

    async def run_all(self, seconds: float, seen: Callable[[], None] = lambda: None) -> None:
        """Until it is cancelled: starts each pod and ends it well after a while."""
        pods: asyncio.Queue[Key] = asyncio.Queue()

        def created(change: Change) -> None:
            if change.plural == PODS and change.old is None and change.new is not None:
                seen()
                pods.put_nowait((change.new["metadata"]["namespace"], change.new["metadata"]["name"]))

        self._objects.listeners.append(created)
        loop = asyncio.get_running_loop()
        try:
            while True:
                namespace, name = await pods.get()
                self.start(name, namespace)
                loop.call_later(seconds, self.end, name, None, namespace)
        finally:
            self._objects.listeners.remove(created)
