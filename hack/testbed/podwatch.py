"""Every build pod that there is or was for a moment, seen by a watch of its own: no operator's word is taken for it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import Counter, defaultdict
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from imagebuild.api import names
from imagebuild.core.observe import observe
from testbed.follow import Follow, Process
from testbed.kubectl import Document, Kubectl, until

_LONGEST = 4 << 20
"""Bytes; no event is longer."""


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


class Record(AbstractContextManager["Record"]):
    """What happens to build pods of the cluster, or of one namespace, from now on: written to a file as it comes, and
    read when there is time."""

    def __init__(self, kubectl: Kubectl, file: Path) -> None:
        self._kubectl, self._file, self._read = kubectl, file, 0
        self._follow = Follow(kubectl, self._path(), self._begin, self._end)
        self.watch = PodWatch()

    def __enter__(self) -> Self:
        self._file.write_bytes(b"")
        self._follow.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._follow.__exit__()
        self._file.unlink()

    def caught_up(self) -> list[Document]:
        """The pods that are there now, once all that led to them is read."""
        pods = self._kubectl.listed(self._path())
        newest = self._newer_than_all(pods[0]) if pods else 0
        until("the record of the pods to catch up", lambda: self._read_on() >= newest or self.watch.broken, seconds=300)
        assert not self.watch.broken, self.watch.broken
        return pods

    def _newer_than_all(self, pod: Document) -> int:
        """A version later than all that has happened, also to pods that are gone: the record will come to it."""
        meta = pod["metadata"]
        within = self._kubectl.within(meta["namespace"])
        within("annotate", "pod", meta["name"], f"example.com/seen={time.time_ns()}", "--overwrite")
        return int(within.get("pod", meta["name"])["metadata"]["resourceVersion"])

    def _path(self) -> str:
        namespace = f"/namespaces/{self._kubectl.namespace}" if self._kubectl.namespace else ""
        return f"/api/v1{namespace}/pods?labelSelector={names.MANAGED_BY}%3D{names.MANAGER}"

    def _begin(self, command: list[str]) -> Process:
        with self._file.open("ab") as out:
            return subprocess.Popen(command, stdout=out)

    def _end(self, process: Process, since: str) -> str | None:
        process.wait()
        try:
            return last_version(self._file, since)
        except Exception as error:  # noqa: BLE001  whatever it is, nothing was seen since
            self.watch.broken = repr(error)
            return None

    def _read_on(self) -> int:
        """The newest version that was read, up to the last whole line."""
        with self._file.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                self.watch.take(json.loads(line))
        return self.watch.version


def last_version(file: Path, before: str) -> str | None:
    """Of the last event that was written whole, or that from before where there is none; None after an error, behind
    which nothing follows. What of an event was written in part is cut off."""
    with file.open("r+b") as written:
        size = written.seek(0, os.SEEK_END)
        written.seek(max(0, size - _LONGEST))
        tail = written.read()
        whole = tail.rfind(b"\n") + 1
        written.truncate(size - len(tail) + whole)
    lines = tail[:whole].splitlines()
    if not lines:
        return before
    event = json.loads(lines[-1])
    if event["type"] == "ERROR":
        return None
    version: str = event["object"]["metadata"]["resourceVersion"]
    return version
