"""A registry that takes uploads, and misbehaves when a test says so."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

BASIC = "Basic " + base64.b64encode(b"me:hunter2").decode()


@dataclass(slots=True)
class Fault:
    """What the next requests of a kind meet, `count` of them."""

    method: str
    path: str
    """A regular expression, found in it."""
    status: int = 0
    """0: the connection breaks off after half of the content, which is kept."""
    count: int = 1
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Registry:
    login: str = ""
    """"", basic, or bearer."""
    token_padding: int = 0
    """Bytes in the token server's answers beside the token."""
    token_uses: int = 1_000_000
    """After so many requests a token has expired."""
    faults: list[Fault] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    """Requests: method and path, without the names of uploads."""
    shown: list[tuple[str, str]] = field(default_factory=list)
    """Forms and queries that asked for a token, and the Authorization beside them."""
    proxied: set[str] = field(default_factory=set)
    """What it was shown as a proxy."""
    received: int = 0
    """Bytes of content."""
    tokens: dict[str, int] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.RLock)

    @contextmanager
    def serve(self, tls: ssl.SSLContext | None = None) -> Iterator[str]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"registry": self}))
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()

    def fault(self, method: str, path: str) -> Fault | None:
        with self.lock:
            found = next((f for f in self.faults if f.count and f.method == method and re.search(f.path, path)), None)
            if found is not None:
                found.count -= 1
            return found

    def requests(self, method: str) -> list[str]:
        return [line for line in self.seen if line.startswith(f"{method} ")]


class _Handler(BaseHTTPRequestHandler):
    registry: Registry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.registry.seen.append(f"{self.command} {re.sub('uploads/.+', 'uploads/…', path)}")
        self.registry.proxied.update(self.headers.get_all("Proxy-Authorization") or [])
        fault = self.registry.fault(self.command, self.path)
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length // 2 if fault and not fault.status else length)
        with self.registry.lock:
            if self.command in {"PUT", "PATCH"} and "/blobs/" in path:
                self.registry.received += len(content)
            if fault and fault.status:
                self._answer(fault.status, fault.headers, b'{"errors":[{"code":"ODD","message":"as the test wants"}]}')
            elif fault:
                self.registry.uploads.get(path.rpartition("/")[2], bytearray()).extend(content)
                self.close_connection = True
            elif path == "/token":
                self._token(content.decode() or urlsplit(self.path).query)
            elif self._may():
                self._do(path, content)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 names of the standard library

    def _may(self) -> bool:
        given = self.headers.get("Authorization", "")
        if self.registry.login == "bearer":
            token = given.removeprefix("Bearer ")
            self.registry.tokens[token] = self.registry.tokens.get(token, 0) - 1
            if self.registry.tokens[token] >= 0:
                return True
            challenge = f'Bearer realm="http://{self.headers["Host"]}/token",service="s",scope="x"'
        elif given == BASIC or not self.registry.login:
            return True
        else:
            challenge = 'Basic realm="here"'
        self._answer(401, {"WWW-Authenticate": challenge})
        return False

    def _token(self, asked: str) -> None:
        given = self.headers.get("Authorization", "")
        self.registry.shown.append((asked, given))
        if given != BASIC and parse_qs(asked).get("refresh_token") != ["refresh"]:
            self._answer(401)
            return
        token = f"t{len(self.registry.tokens)}"
        self.registry.tokens[token] = self.registry.token_uses
        self._answer(200, {}, json.dumps({"padding": "x" * self.registry.token_padding, "token": token}).encode())

    def _do(self, path: str, content: bytes) -> None:
        name = path.rpartition("/")[2]
        match self.command, "/uploads/" in path:
            case "POST", True:
                upload = f"u{len(self.registry.uploads)}"
                self.registry.uploads[upload] = bytearray()
                self._answer(202, {"Location": f"{path}{upload}?state=1"})
            case (("PATCH" | "PUT" | "GET"), True):
                self._upload(name, path, content)
            case "GET", _:
                content = self.registry.blobs.get(name) or self._named(name)
                self._answer(200 if content else 404, {}, content)
            case "HEAD", _:
                self._answer(200 if name in self.registry.blobs else 404)
            case _:
                self.registry.manifests[name] = content
                self._answer(201)

    def _named(self, digest: str) -> bytes:
        """A manifest; empty where there is none."""
        known = self.registry.manifests.values()
        return next((each for each in known if f"sha256:{hashlib.sha256(each).hexdigest()}" == digest), b"")

    def _upload(self, name: str, path: str, content: bytes) -> None:
        kept = self.registry.uploads.get(name)
        span = re.match(r"(\d+)-", self.headers.get("Content-Range", ""))
        if kept is None or (span and int(span[1]) != len(kept)):
            self._answer(404 if kept is None else 416)
            return
        kept += content
        wanted = parse_qs(urlsplit(self.path).query).get("digest", [""])[0]
        if self.command == "PUT":
            found = f"sha256:{hashlib.sha256(kept).hexdigest()}"
            self.registry.blobs.update({found: bytes(kept)} if found == wanted else {})
            self._answer(201 if found == wanted else 400)
        else:
            span_now = f"0-{max(len(kept) - 1, 0)}"
            self._answer(202 if self.command == "PATCH" else 204, {"Location": f"{path}?state=2", "Range": span_now})

    def _answer(self, code: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(code)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        if code != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def log_message(self, *_: Any) -> None:
        pass
