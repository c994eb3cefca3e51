"""Every build pod that there is or was for a moment, seen by a watch of its own: no operator's word is taken for it."""

from __future__ import annotations

import json
import subprocess
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from imagebuild.api import names
from imagebuild.core.observe import observe
from testbed.kubectl import Document, Kubectl, until

_HOURS = 6


@dataclass(slots=True)
class SeenPod:
    name: str
    uid: str
    owner: str
    """The uid of the ImageBuild."""
    attempt: int
    live: bool = True


@dataclass(slots=True)
class PodWatch:
    pods: dict[str, SeenPod] = field(default_factory=dict)
    """By uid, in the order of creation."""
    owned: defaultdict[str, list[SeenPod]] = field(default_factory=lambda: defaultdict(list))
    """By the uid of their ImageBuild."""
    doubled: list[str] = field(default_factory=list)
    """Moments with two live pods of one build."""
    version: int = 0
    broken: str = ""

    def take(self, event: Document) -> None:
        document = event["object"]
        if event["type"] == "ERROR":
            self.broken = json.dumps(document)
            return
        self.version = int(document["metadata"]["resourceVersion"])
        if event["type"] == "BOOKMARK":
            return
        seen = observe(document)
        if seen.uid not in self.pods:
            self.pods[seen.uid] = SeenPod(seen.name, seen.uid, seen.owner_uid, seen.attempt)
            self.owned[seen.owner_uid].append(self.pods[seen.uid])
        pod = self.pods[seen.uid]
        pod.live = seen.live and event["type"] != "DELETED"
        live = [other.name for other in self.of(pod.owner) if other.live]
        if event["type"] == "ADDED" and len(live) > 1:
            self.doubled.append(" and ".join(live))

    def of(self, owner: str) -> list[SeenPod]:
        return self.owned.get(owner, [])

    def created_again(self) -> list[str]:
        """Names that more than one pod has had."""
        return sorted(name for name, count in Counter(pod.name for pod in self.pods.values()).items() if count > 1)


@contextmanager
def watching(kubectl: Kubectl) -> Iterator[PodWatch]:
    """Build pods of the whole cluster, from now on."""
    watch = PodWatch()
    with subprocess.Popen(from_now_on(kubectl), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        thread = threading.Thread(target=_read, args=(watch, process.stdout), daemon=True)
        thread.start()
        try:
            yield watch
        finally:
            process.kill()
            thread.join()


def from_now_on(kubectl: Kubectl) -> list[str]:
    """The command that prints what happens to build pods, of the whole cluster or of one namespace."""
    pods = f"/api/v1/namespaces/{kubectl.namespace}/pods" if kubectl.namespace else "/api/v1/pods"
    selector = f"labelSelector={names.MANAGED_BY}%3D{names.MANAGER}"
    start = json.loads(kubectl("get", "--raw", f"{pods}?limit=1&{selector}"))["metadata"]["resourceVersion"]
    path = f"{pods}?watch=1&resourceVersion={start}&timeoutSeconds={_HOURS * 3600}&{selector}"
    return kubectl.command("get", "--raw", path)


def _read(watch: PodWatch, lines: Iterable[str]) -> None:
    try:
        for line in lines:
            watch.take(json.loads(line))
    except Exception as error:  # noqa: BLE001  whatever it is, the watch has seen nothing since
        watch.broken = repr(error)


def caught_up(kubectl: Kubectl, watch: PodWatch) -> list[dict[str, Any]]:
    """The pods that are there now, once the watch has seen all that led to them."""
    selector = f"--selector={names.MANAGED_BY}={names.MANAGER}"
    pods = kubectl.items("pods", "--all-namespaces", selector)
    newest = max((int(pod["metadata"]["resourceVersion"]) for pod in pods), default=0)
    until("the watch to catch up", lambda: watch.version >= newest or watch.broken, seconds=60)
    assert not watch.broken, watch.broken
    return pods
