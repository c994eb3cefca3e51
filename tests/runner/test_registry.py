"""Names of images as host and repository; and an answer of a registry, whatever it is, as one word within the limit."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from imagebuild.contract.plan import Registry
from imagebuild.contract.result import LookUp
from imagebuild.runner.reference import split
from imagebuild.runner.registry import Answer, Registries
from runner.conftest import Answers


@pytest.mark.parametrize(
    ("image", "host", "repository"),
    [
        ("r.io/shop/app", "r.io", "shop/app"),
        ("r.io:5000/app", "r.io:5000", "app"),
        ("localhost/app", "localhost", "app"),
        ("localhost:5000/a/b/c", "localhost:5000", "a/b/c"),
        ("127.0.0.1:5000/app", "127.0.0.1:5000", "app"),
        ("docker.io/busybox", "docker.io", "library/busybox"),
        ("docker.io/shop/app", "docker.io", "shop/app"),
        ("shop/app", "docker.io", "shop/app"),
        ("busybox", "docker.io", "library/busybox"),
    ],
)
def test_a_name_is_split_by_dockers_rules(image: str, host: str, repository: str) -> None:
    assert split(image) == (host, repository)


class Odd(Answers, BaseHTTPRequestHandler):
    """The first word of the repository says what is wrong with this registry."""

    tokens: list[str]

    def do_HEAD(self) -> None:
        word = self.path.split("/")[2]
        server = f"http://{self.headers['Host']}"
        match word:
            case "not-http":
                self.wfile.write(b"220 mail.example.com ESMTP\r\n\r\n")
            case "code":
                self.say(int(self.path.split("/")[3]))
            case "basic-redirect" if self.headers["Authorization"]:
                self.say(307, Location=f"{server.replace('127.0.0.1', 'localhost')}/v2/seen/x")
            case "basic-redirect":
                self.say(401, WWW_Authenticate='Basic realm="x"')
            case "refresh-token" if self.headers["Authorization"] == "Bearer granted":
                self.say(200)
            case "no-challenge":
                self.say(401)
            case "no-realm":
                self.say(401, WWW_Authenticate='Bearer service="s"')
            case "file-realm":
                self.say(401, WWW_Authenticate='Bearer realm="file:///etc/passwd"')
            case _:
                self.say(401, WWW_Authenticate=f'Bearer realm="{server}/{word}",service="s"')

    def do_POST(self) -> None:
        """A token server to which a login by identity token is shown."""
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        right = {"grant_type": ["refresh_token"], "refresh_token": ["hunter2"], "service": ["s"]}
        granted = right.items() <= form.items() and self.headers["Authorization"] is None
        self.say(200, b'{"access_token": "granted"}') if granted else self.say(401)

    def do_GET(self) -> None:
        if self.path.startswith("/v2/seen/"):
            self.tokens.append(self.headers["Authorization"] or "")
        if self.path.startswith("/v2/shelf/"):
            self._shelf(self.path.rsplit("/", 1)[1])
            return
        body = {"no-token": b"{}", "list-token": b"[]", "odd-token": b'{"token": 7}'}.get(
            self.path.split("/")[1].partition("?")[0], b"<html>"
        )
        self.say(200, body)

    def _shelf(self, tag: str) -> None:
        odd = {"nested": b"[" * 100_000, "not-json": b"\xff"}
        if tag in MANIFESTS or tag in odd:
            self.say(200, json.dumps(MANIFESTS[tag]).encode() if tag in MANIFESTS else odd[tag])
        else:
            self.say(500)


@pytest.fixture
def odd() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Odd,), {"tokens": []}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


PASSWORD = {"auth": base64.b64encode(b"user:hunter2").decode()}
NOBODY = "00000000-0000-0000-0000-000000000000:"
"""What `az acr login` writes beside a token."""


def look_up(port: int, repository: str, seconds: float = 60, login: dict[str, str] = PASSWORD) -> LookUp:
    host = f"127.0.0.1:{port}"
    registries = Registries({host: Registry(host=host, http=True)}, {host: login}, None, seconds)
    return registries.ask(f"{host}/{repository}", "tag")().found


@pytest.mark.parametrize(
    ("repository", "answer"),
    [
        pytest.param("code/200", LookUp.FOUND, id="there"),
        pytest.param("code/404", LookUp.NOT_FOUND, id="not there"),
        pytest.param("code/403", LookUp.UNAUTHORIZED, id="forbidden"),
        pytest.param("code/429", LookUp.ERROR, id="too many requests"),
        pytest.param("code/500", LookUp.ERROR, id="a fault of the server"),
        pytest.param("not-http", LookUp.ERROR, id="not HTTP at all"),
        pytest.param("no-challenge", LookUp.UNAUTHORIZED, id="a refusal without a challenge"),
        pytest.param("no-realm", LookUp.ERROR, id="a challenge without a realm"),
        pytest.param("file-realm", LookUp.ERROR, id="a challenge that leads to a file"),
        pytest.param("no-token", LookUp.ERROR, id="a token server without a token"),
        pytest.param("list-token", LookUp.ERROR, id="a token server with a list"),
        pytest.param("odd-token", LookUp.ERROR, id="a token that is no text"),
        pytest.param("html-token", LookUp.ERROR, id="a token server with a web page"),
    ],
)
def test_every_answer_is_one_word(odd: ThreadingHTTPServer, repository: str, answer: LookUp) -> None:
    assert look_up(odd.server_port, repository) is answer


@pytest.mark.parametrize(
    ("login", "answer"),
    [
        pytest.param({"identitytoken": "hunter2"}, LookUp.FOUND, id="traded for one of the registry"),
        pytest.param({"auth": NOBODY, "identitytoken": "hunter2"}, LookUp.FOUND, id="beside a user who is none"),
        pytest.param({"registrytoken": "granted"}, LookUp.FOUND, id="one of the registry"),
        pytest.param({"identitytoken": "old"}, LookUp.UNAUTHORIZED, id="one that has expired"),
    ],
)
def test_a_login_by_token_is_one(odd: ThreadingHTTPServer, login: dict[str, str], answer: LookUp) -> None:
    given = {key: base64.b64encode(value.encode()).decode() if key == "auth" else value for key, value in login.items()}
    assert look_up(odd.server_port, "refresh-token", login=given) is answer


def test_a_password_does_not_follow_a_challenge_out_of_tls(odd: ThreadingHTTPServer) -> None:
    host = f"127.0.0.1:{odd.server_port}"
    secure = Registries({}, {host: {"auth": base64.b64encode(b"user:hunter2").decode()}}, None)
    with pytest.raises(ValueError, match="without TLS"):
        secure._authorization(f'Bearer realm="http://{host}/v2/seen/x"', host, "repository:x:pull", Registry(host=host))
    assert odd.RequestHandlerClass.tokens == []  # type: ignore[attr-defined]


MADE_FROM = {"imagebuild.dev/inputs": "x"}
ATTESTATION = {"vnd.docker.reference.type": "attestation-manifest"}
INDEX = {"manifests": [{"digest": "plain"}, {"digest": "bare", "annotations": ATTESTATION}]}
MANIFESTS: dict[str, Any] = {
    "plain": {"annotations": MADE_FROM},
    "bare": {},
    "odd": {"annotations": {**MADE_FROM, "b": 7}, "manifests": None},
    "index": INDEX,
    "named-index": {**INDEX, "annotations": {"c": "d"}},
    "mixed-index": {"manifests": [{"digest": "plain"}, {"digest": "bare"}]},
    "attestations": {"manifests": [{"digest": "bare", "annotations": ATTESTATION}]},
    "list": [],
    "no-digest": {"manifests": [{}]},
    "number": {"manifests": 7},
    "endless": {"manifests": [{"digest": "endless"}]},
}


@pytest.mark.parametrize(
    ("name", "annotations"),
    [
        pytest.param("plain", MADE_FROM, id="a manifest's"),
        pytest.param("bare", {}, id="none"),
        pytest.param("odd", MADE_FROM, id="those that are texts"),
        pytest.param("index", MADE_FROM, id="those of an index's images, without its attestations"),
        pytest.param("named-index", {**MADE_FROM, "c": "d"}, id="an index's own, and those of its images"),
        pytest.param("mixed-index", {}, id="none where its images differ"),
        pytest.param("endless", {}, id="none of an index in an index"),
        pytest.param("attestations", {}, id="none of an index without images"),
    ],
)
def test_a_manifest_has_its_digest_and_annotations(
    odd: ThreadingHTTPServer, name: str, annotations: dict[str, str]
) -> None:
    answer = ask_for(odd.server_port, name)
    assert (answer.found, answer.annotations) == (LookUp.FOUND, annotations)
    assert answer.digest == f"sha256:{hashlib.sha256(json.dumps(MANIFESTS[name]).encode()).hexdigest()}"


@pytest.mark.parametrize("name", ["list", "no-digest", "number", "nothing", "nested", "not-json"])
def test_what_is_no_manifest_is_an_error(odd: ThreadingHTTPServer, name: str) -> None:
    assert ask_for(odd.server_port, name).found is LookUp.ERROR


def ask_for(port: int, tag: str) -> Answer:
    host = f"127.0.0.1:{port}"
    return Registries({host: Registry(host=host, http=True)}, {}, None).ask(f"{host}/shelf", tag, whole=True)()


def test_a_password_does_not_follow_a_redirect_to_another_host(odd: ThreadingHTTPServer) -> None:
    assert look_up(odd.server_port, "basic-redirect") is LookUp.FOUND
    handler: Any = odd.RequestHandlerClass
    assert handler.tokens == [""]


def test_a_registry_that_never_answers_takes_no_longer_than_the_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert look_up(silent.getsockname()[1], "any", 0.3) is LookUp.TIMEOUT


def test_a_registry_that_drips_takes_no_longer_than_the_limit_either() -> None:
    """Each read is in time, all of them together are not."""
    stop = threading.Event()

    def drip(server: socket.socket) -> None:
        client, _ = server.accept()
        with client:
            client.sendall(b"HTTP/1.1 200 OK\r\n")
            while not stop.wait(0.05):
                client.sendall(b"X-Wait: 1\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        try:
            assert look_up(server.getsockname()[1], "any", 0.3) is LookUp.TIMEOUT
        finally:
            stop.set()
            thread.join()
