"""A collector of OTLP over HTTP in JSON, as the operator's and the runner's tests need it; hack/otlp is a real one."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from localcluster import certificates


@dataclass(frozen=True, slots=True)
class Got:
    """A span as it came."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    start: float
    end: float
    about: dict[str, Any]
    """Attributes of its own, and of what sent it."""
    error: str


@dataclass
class Collector:
    url: str = ""
    answer: int = 200
    reason: str | None = None
    """What stands beside the number."""
    hangs: bool = False
    spans: list[Got] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    """Whatever was answered."""
    _ends: threading.Event = field(default_factory=threading.Event)

    def tree(self) -> set[tuple[str, str]]:
        """Names of spans, each with the name of what it is below; empty for what is not here."""
        names = {span.id: span.name for span in self.spans}
        return {(names.get(span.parent, ""), span.name) for span in self.spans}

    def one(self, name: str) -> Got:
        (found,) = (span for span in self.spans if span.name == name)
        return found

    async def has(self, number: int) -> None:
        """Until it has so many spans."""
        async with asyncio.timeout(20):
            while len(self.spans) < number:  # noqa: ASYNC110 they come in another thread
                await asyncio.sleep(0.02)

    def take(self, path: str, body: bytes) -> int:
        self.bodies.append(body)
        if self.hangs:
            self._ends.wait(60)
        if path != "/v1/traces":
            return 404
        if self.answer == 200:
            self.spans += read(json.loads(body))
        return self.answer

    def end(self) -> None:
        self._ends.set()


def read(document: dict[str, Any]) -> Iterator[Got]:
    for resource in document["resourceSpans"]:
        about = _attributes(resource["resource"])
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                yield Got(
                    service=about["service.name"],
                    name=span["name"],
                    trace=span["traceId"],
                    id=span["spanId"],
                    parent=span.get("parentSpanId", ""),
                    start=int(span["startTimeUnixNano"]) / 1e9,
                    end=int(span["endTimeUnixNano"]) / 1e9,
                    about={**about, **_attributes(span)},
                    error=span["status"].get("message", ""),
                )


def secured(directory: Path) -> tuple[ssl.SSLContext, str]:
    """For a collector, and the authority that its certificate is of."""
    certificates.authority(directory, "the CA")
    certificates.signed(directory, "collector", "collector", certificates.serves())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "collector.crt", directory / "collector.key")
    return context, (directory / "ca.crt").read_text()


def _attributes(holder: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in holder["attributes"]}


@contextmanager
def collecting(tls: ssl.SSLContext | None = None, **given: Any) -> Iterator[Collector]:
    collector = Collector(**given)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = collector.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(answer, collector.reason)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    collector.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield collector
    finally:
        collector.end()
        server.shutdown()
        thread.join()
        server.server_close()
