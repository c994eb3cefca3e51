"""A git server for a namespace: git's own smart HTTP program behind a small web server, in a pod of the builder image.

Repositories are made by pushing to them; those named private-… ask for USER and PASSWORD. This file is also what
runs in the pod: `python3 gitserver.py DIRECTORY PORT`.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NAME = "git"
PORT = 8080
USER, PASSWORD = "gitlab-ci-token", "p@ss word/ü%"
"""A password with everything in it that a URL would have to quote."""
_BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class Handler(BaseHTTPRequestHandler):
    """One request as one run of `git http-backend` (CGI)."""

    root: Path
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def _serve(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        if path.startswith("/private-") and self.headers.get("Authorization") != _BASIC:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.end_headers()
            return
        self._make_sure_of(path)
        answer = subprocess.run(
            ["git", "http-backend"], input=body, stdout=subprocess.PIPE, env=self._cgi(path, query), check=False
        ).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _make_sure_of(self, path: str) -> None:
        name = path.strip("/").split("/")[0]
        repository = self.root / name
        if name.endswith(".git") and "receive-pack" in self.path and not repository.exists():
            init = ["git", "init", "--quiet", "--bare", "--initial-branch=main", str(repository)]
            subprocess.run(init, check=True, env=self._cgi("/", ""))
            for setting in ("http.receivepack", "receive.shallowUpdate", "uploadpack.allowAnySHA1InWant"):
                subprocess.run(["git", "-C", str(repository), "config", setting, "true"], check=True)

    def _cgi(self, path: str, query: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": self.headers.get("Content-Length", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the name in the standard library
        print(format % args, flush=True)


def manifests(image: str) -> list[dict[str, Any]]:
    """ConfigMap, Pod and Service. The URL in the namespace is http://git:8080/NAME.git."""
    from testbed.server import scripted  # noqa: PLC0415 not there in the pod

    return scripted(NAME, image, PORT, Path(__file__), "/repositories", repositories={"emptyDir": {}})


def serve(root: Path, port: int) -> None:
    handler = type("Handler", (Handler,), {"root": root})
    ThreadingHTTPServer(("", port), handler).serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
