"""A server that answers the command line as a test tells it to, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml


class Api(ThreadingHTTPServer):
    """Answers each path with what `answers` has for it: a status, and a document or the text of a stream."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.kinds: list[tuple[str | None, str | None]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Api
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.asked.append((self.command, parts.path, dict(parse_qsl(parts.query)), body))
        self.server.kinds.append((self.headers.get("Content-Type"), self.headers.get("Authorization")))
        code, content = self.server.answers.get(parts.path, (404, "404 page not found"))
        if isinstance(content, Iterator):
            content = next(content)
        code, content = content if isinstance(content, tuple) else (code, content)
        self.send_response(code)
        if isinstance(content, str):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._stream(content.encode())
        else:
            data = json.dumps(content).encode()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def _stream(self, data: bytes) -> None:
        """A chunk for each line, as the API server streams; one that is broken has no end."""
        for line in data.splitlines(keepends=True):
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        if data.endswith(b"half"):
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815  http.server's

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def serving() -> Iterator[Api]:
    server = Api()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def kubeconfig(directory: Path, url: str, **user: Any) -> str:
    file = directory / "kubeconfig"
    contexts = [
        {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "team-a"}},
        {"name": "two", "context": {"cluster": "c", "user": "u"}},
    ]
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": user or {"token": "t0ken"}}],
        "contexts": contexts,
    }
    file.write_text(yaml.safe_dump(document))
    return str(file)
