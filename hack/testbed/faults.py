"""A proxy in front of a registry that does what registries do on their bad days, in a pod of the builder image.

The first word of a repository says which fault it has, and the rest is its name in the registry behind. `429/shop/app`
answers every request with 429, `429-2/shop/app` the first two.
`alice/shop/app` and `bob/shop/app` want the login of LOGINS. This file is also what runs in the pod:
`python3 faults.py REGISTRY PORT`.
"""

from __future__ import annotations

import base64
import http.client
import json
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

NAME = "faults"
NAMESPACE = "imagebuild-faults"
PORT = 5000
HOST = f"{NAME}.{NAMESPACE}:{PORT}"
"""Fixed: the operator's configuration must say that it has no TLS."""

LOGINS = {"alice": "alice:wonderland", "bob": "bob:builder"}
"""User name and password, by the first word of the repository."""
_ERRORS = {
    401: ("UNAUTHORIZED", "authentication required"),
    403: ("DENIED", "requested access to the resource is denied"),
    404: ("NAME_UNKNOWN", "repository name not known to registry"),
    429: ("TOOMANYREQUESTS", "you have reached your pull rate limit"),
    500: ("UNKNOWN", "unknown error"),
    502: ("UNKNOWN", "unknown error"),
    503: ("UNAVAILABLE", "service unavailable"),
}
"""Code and message as registries write them."""
_SLOW_SECONDS, _SILENT_SECONDS = 1, 3600
_PASSED_ON = ("Accept", "Content-Type", "Content-Range", "Range")
_PASSED_BACK = ("Content-Type", "Content-Range", "Docker-Content-Digest", "Docker-Upload-UUID", "Range")


class Handler(BaseHTTPRequestHandler):
    """One request, passed on or spoilt."""

    upstream: str
    seen: ClassVar[Counter[str]] = Counter()
    counting = threading.Lock()
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith("/token/"):
            self._token(self.path.split("/")[2].partition("?")[0])
        elif self.path.count("/") < 4:  # noqa: PLR2004 /v2/ itself: is it a registry?
            self._answer(200)
        else:
            _, _, fault, rest = self.path.split("/", 3)
            self._spoil(fault, rest)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 names of the standard library

    def _spoil(self, fault: str, rest: str) -> None:
        kind, _, times = fault.partition("-")
        if not self._meant(kind, rest) or self._over(f"{fault}/{_repository(rest)}", times):
            self._answer(*self._ask(fault, rest))
        elif kind in LOGINS:
            self._private(kind, rest)
        elif kind.isdecimal():
            self._body()
            self._refuse(int(kind))
        elif kind.startswith("token"):
            self._body()
            challenge = f'Bearer realm="http://{self.headers["Host"]}/token/{kind}",service="faults"'
            self._answer(401, {"WWW-Authenticate": challenge})
        else:
            getattr(self, f"_{kind}")(fault, rest)

    def _meant(self, kind: str, rest: str) -> bool:
        """Whether the fault is one of requests such as this."""
        if kind in {"cut", "wrong"}:
            return "/blobs/" in rest and self.command in {"GET", "PUT"}
        return kind != "fine"

    def _over(self, name: str, times: str) -> bool:
        with self.counting:
            self.seen[name] += 1
            return bool(times) and self.seen[name] > int(times)

    def _private(self, user: str, rest: str) -> None:
        """Basic, as a registry without a token server asks for it."""
        wanted = "Basic " + base64.b64encode(LOGINS[user].encode()).decode()
        if self.headers.get("Authorization") == wanted:
            self._answer(*self._ask(user, rest))
        else:
            self._body()
            self._answer(401, {"WWW-Authenticate": 'Basic realm="private"'})

    def _slow(self, fault: str, rest: str) -> None:
        time.sleep(_SLOW_SECONDS)
        self._answer(*self._ask(fault, rest))

    def _silent(self, *_: str) -> None:
        time.sleep(_SILENT_SECONDS)

    def _cut(self, fault: str, rest: str) -> None:
        """Half a layer, whichever way it goes."""
        if self.command == "PUT":
            self._body(2)
            self.close_connection = True
        else:
            code, headers, content = self._ask(fault, rest)
            self._answer(code, headers, content, sent=len(content) // 2 if _layer(content) else None)

    def _wrong(self, fault: str, rest: str) -> None:
        """A layer of the right length with other content."""
        code, headers, content = self._ask(fault, rest)
        self._answer(code, headers, content[:-1] + bytes([content[-1] ^ 1]) if _layer(content) else content)

    def _token(self, kind: str) -> None:
        if kind == "token500":
            self._refuse(500)
        self.close_connection = True  # "tokeneof": without a word

    def _refuse(self, code: int) -> None:
        word, message = _ERRORS[code]
        error = {"code": word, "message": message}
        self._answer(code, {"Retry-After": "1"} if code == 429 else {}, json.dumps({"errors": [error]}).encode())  # noqa: PLR2004

    def _body(self, part: int = 1) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")) // part)

    def _ask(self, fault: str, rest: str) -> tuple[int, dict[str, str], bytes]:
        """The registry itself; what it names as the next place is a place of ours."""
        given = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        connection.request(self.command, f"/v2/{rest}", self._body() or None, {**given, "Host": self.headers["Host"]})
        answer = connection.getresponse()
        content = answer.read()
        headers = {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
        if "Location" in answer.headers:
            headers["Location"] = answer.headers["Location"].replace("/v2/", f"/v2/{fault}/", 1)
        if self.command == "HEAD":
            headers["Content-Length"] = answer.headers.get("Content-Length", "0")
        connection.close()
        return answer.status, headers, content

    def _answer(
        self, code: int, headers: dict[str, str] | None = None, content: bytes = b"", *, sent: int | None = None
    ) -> None:
        """`sent`: how much of the content goes out before the connection is closed."""
        self.send_response(code)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:sent])
        self.close_connection = self.close_connection or sent is not None

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the name in the standard library
        print(f"{time.strftime('%H:%M:%S')} {format % args}", flush=True)


def _repository(rest: str) -> str:
    return rest.partition("/blobs/")[0].partition("/manifests/")[0]


def _layer(content: bytes) -> bool:
    """And not the configuration of an image, which is a blob, too, but of JSON."""
    return bool(content) and not content.startswith(b"{")


def manifests(image: str, registry: str) -> list[dict[str, Any]]:
    """ConfigMap, Pod and Service; images behind are `faults.imagebuild-faults:5000/FAULT/NAME:TAG`."""
    from testbed.server import scripted  # noqa: PLC0415 not there in the pod

    return scripted(NAME, image, PORT, Path(__file__), registry)


def serve(registry: str, port: int) -> None:
    handler = type("Handler", (Handler,), {"upstream": registry})
    server = type("Server", (ThreadingHTTPServer,), {"request_queue_size": 128})  # no fault that nobody has ordered
    server(("", port), handler).serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
