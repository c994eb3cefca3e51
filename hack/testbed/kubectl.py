"""kubectl as a function: documents in by standard input, documents out. Nothing secret is ever an argument."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from testbed.place import Place

Document = dict[str, Any]


class KubectlError(Exception):
    """What kubectl wrote to standard error."""


class Kubectl:
    def __init__(self, place: Place, namespace: str = "") -> None:
        """Without a namespace: for documents that name their own."""
        self.place, self.namespace = place, namespace

    def within(self, namespace: str) -> Kubectl:
        return Kubectl(self.place, namespace)

    def command(self, *words: str) -> list[str]:
        where = [f"--namespace={self.namespace}"] if self.namespace else []
        return [self.place.kubectl, f"--kubeconfig={self.place.kubeconfig}", *where, *words]

    def __call__(self, *words: str, stdin: str | None = None, timeout: float = 60) -> str:
        done = subprocess.run(
            self.command(*words), input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
        if done.returncode:
            raise KubectlError(done.stderr.strip())
        return done.stdout

    def apply(self, *documents: Document) -> None:
        """By server-side apply: no last-applied annotation, so a Secret's values stay in the Secret."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        self("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(items))

    def create(self, document: Document, *words: str) -> None:
        self("create", "-f", "-", *words, stdin=json.dumps(document))

    def get(self, kind: str, name: str = "", *words: str) -> Document:
        document: Document = json.loads(self("get", kind, *([name] if name else []), "-o", "json", *words))
        return document

    def items(self, kind: str, *words: str) -> list[Document]:
        items: list[Document] = self.get(kind, "", *words)["items"]
        return items

    def listed(self, path: str) -> list[Document]:
        """Thousands of documents of an API path, as they come: `items` has kubectl write each of them anew."""
        items: list[Document] = json.loads(self("get", "--raw", path, timeout=300))["items"]
        return items

    @contextmanager
    def forward(self, target: str, port: int) -> Iterator[int]:
        """A local port that leads to a port of a pod or service."""
        command = self.command("port-forward", "--address=127.0.0.1", target, f":{port}")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline()  # Forwarding from 127.0.0.1:40001 -> 8080
                yield int(line.split("->")[0].rsplit(":", 1)[1])
            finally:
                process.terminate()


def until(what: str, look: Callable[[], Any], *, seconds: float = 60, pause: float = 0.2) -> Any:
    """What `look` gives as soon as it is true; TimeoutError names what was waited for and what was seen last."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}; seen last: {seen!r}")
        time.sleep(pause)
    return seen
