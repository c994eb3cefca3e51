"""A proxy to the outside that asks for a password, in a pod of the builder image.

Names that end in BEYOND nobody else can resolve: `git.team.beyond.test` is `git.team` of the cluster. It lets nobody
through to DENIED. Its log has a line for each request: method, target, answer. This file is also what runs in the pod:
`python3 egress.py PORT`.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NAME = "egress"
NAMESPACE = "imagebuild-egress"
PORT = 3128
ADDRESS = f"{NAME}.{NAMESPACE}:{PORT}"
"""Fixed: the operator's configuration names it."""
NOWHERE = "127.0.0.1:1"
"""Where no proxy is, and a pod hears so at once."""
SECRET = "egress-proxy"
USER, PASSWORD = "builder", "p@ss:word/ü%"
BEYOND = ".beyond.test"
DENIED = f"denied{BEYOND}"
_BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
_HOP_BY_HOP = {"proxy-authorization", "proxy-connection", "connection", "keep-alive"}


def beyond(host: str) -> str:
    """The name that only the proxy knows, of a host or host:port."""
    name, colon, port = host.partition(":")
    return f"{name}{BEYOND}{colon}{port}"


class Handler(BaseHTTPRequestHandler):
    """One request, and then bytes as they come."""

    protocol_version = "HTTP/1.1"
    rbufsize = 0  # what comes after the head is read from the socket
    close_connection = True

    def do_CONNECT(self) -> None:
        host, _, port = self.path.rpartition(":")
        if self._lets_through(host) and (server := self._connected(host, int(port))):
            self._answer(200)
            _relay(self.connection, server)

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        host = url.hostname or ""
        if self._lets_through(host) and (server := self._connected(host, url.port or 80)):
            self.note("passed on")
            path = urllib.parse.urlunsplit(("", "", url.path or "/", url.query, ""))
            kept = [f"{key}: {value}" for key, value in self.headers.items() if key.lower() not in _HOP_BY_HOP]
            head = "\r\n".join([f"{self.command} {path} HTTP/1.1", *kept, "Connection: close", "", ""])
            server.sendall(head.encode("latin-1"))
            _relay(self.connection, server)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 names of the standard library

    def _lets_through(self, host: str) -> bool:
        if self.headers.get("Proxy-Authorization") != _BASIC:
            self._answer(407, {"Proxy-Authenticate": 'Basic realm="egress"'})
            return False
        if host == DENIED:
            self._answer(403)
            return False
        return True

    def _connected(self, host: str, port: int) -> socket.socket | None:
        try:
            return socket.create_connection((host.removesuffix(BEYOND), port), timeout=30)
        except OSError:
            self._answer(503)
            return None

    def _answer(self, code: int, headers: dict[str, str] | None = None) -> None:
        self.close_connection = True
        self.note(code)
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if code != 200:  # noqa: PLR2004
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
        self.end_headers()

    def note(self, answer: object) -> None:
        print(f"{self.command} {self.path} {answer}", flush=True)

    def log_message(self, *_: Any) -> None:
        """`note` is the log."""


def _relay(client: socket.socket, server: socket.socket) -> None:
    server.settimeout(None)
    with server:
        up = threading.Thread(target=_pump, args=(client, server), daemon=True)
        up.start()
        _pump(server, client)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        up.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(1 << 16):
            sink.sendall(block)
        sink.shutdown(socket.SHUT_WR)


def login(password: str = PASSWORD) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET},
        "type": "kubernetes.io/basic-auth",
        "stringData": {"username": USER, "password": password},
    }


def manifests(image: str) -> list[dict[str, Any]]:
    from testbed.server import scripted  # noqa: PLC0415 not there in the pod

    return scripted(NAME, image, PORT, Path(__file__))


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(sys.argv[1])), Handler).serve_forever()
