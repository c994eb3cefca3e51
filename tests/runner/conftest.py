"""A pod to run in, a registry that answers by the repository's name, and git repositories behind a real server."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from imagebuild.contract.plan import INPUTS_ANNOTATION
from runner.pod import Pod
from testbed.gitserver import Handler as GitHandler

PASSWORD = "hunter2"
_BASIC = "Basic " + base64.b64encode(f"user:{PASSWORD}".encode()).decode()


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


class Answers(BaseHTTPRequestHandler):
    """Quiet, with answers in one call."""

    def say(self, code: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class RegistryHandler(BaseHTTPRequestHandler):
    """The first word of a repository says how this registry answers for it."""

    def do_HEAD(self) -> None:
        given = self.headers.get("Authorization")
        match self.path.split("/")[2]:
            case "found":
                self._answer(200)
            case "basic":
                self._answer(200) if given == _BASIC else self._answer(401, 'Basic realm="here"')
            case "bearer":
                realm = f"http://{self.headers['Host']}/token"
                self._answer(200) if given == "Bearer tok" else self._answer(401, f'Bearer realm="{realm}",service="s"')
            case "hanging":
                time.sleep(30)
            case code:
                self._answer(int(code) if code.isdigit() else 404)

    def do_GET(self) -> None:
        if "/manifests/" in self.path:
            self._manifest(self.path.split("/")[2], self.path.rsplit("/", 1)[1])
            return
        if self.headers.get("Authorization") != _BASIC:
            self._answer(401)
            return
        self._answer(200, body=b'{"token": "tok"}')

    def _manifest(self, word: str, tag: str) -> None:
        """Of `made-from-X`: one made from the inputs X, with the tag's first letter as content; else as above."""
        if not word.startswith("made-from-"):
            self.do_HEAD()
            return
        annotations = {INPUTS_ANNOTATION: word.removeprefix("made-from-")}
        self._answer(200, body=json.dumps({"layers": [tag[0]], "annotations": annotations}).encode())

    def _answer(self, code: int, challenge: str = "", body: bytes = b"") -> None:
        self.send_response(code)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def serve(handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def registry() -> Iterator[str]:
    """host:port, plain HTTP."""
    yield from serve(RegistryHandler)


@pytest.fixture(scope="session")
def git_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real git server; repositories are made by pushing to them."""
    root = tmp_path_factory.mktemp("repositories")
    quiet = {"root": root, "log_message": lambda *_: None}
    for address in serve(type("Handler", (GitHandler,), quiet)):
        yield f"http://{address}"


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def git_repository(git_server: str, tmp_path: Path) -> Path:
    """Pushed to the server under its name: half a megabyte that does not compress."""
    checkout = tmp_path / f"{tmp_path.name}.git"
    checkout.mkdir()
    (checkout / "Dockerfile").write_text("FROM scratch\n")
    (checkout / "random").write_bytes(os.urandom(500_000))
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main"], cwd=checkout, check=True)
    push(checkout, f"{git_server}/{checkout.name}")
    return checkout


def push(checkout: Path, url: str) -> None:
    """All that is there now, as the tip of main."""
    for words in (
        "add --all",
        "-c user.name=t -c user.email=t@example.com commit --quiet --message=all",
        f"push --quiet {url} main",
    ):
        subprocess.run(["git", *words.split()], cwd=checkout, check=True)
