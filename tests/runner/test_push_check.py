"""A push that a registry will refuse is known before anything is built; what is not clear is left to the push."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import socket
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

import pytest

from imagebuild.contract.plan import (
    INPUTS_ANNOTATION,
    Dockerfile,
    IfExists,
    Output,
    Plan,
    Registry,
)
from imagebuild.contract.reasons import Reason
from imagebuild.runner.problem import Problem
from imagebuild.runner.pushcheck import PushCheck
from imagebuild.runner.registry import Registries
from runner.conftest import Answers, serve
from runner.pod import Pod

USER = "Basic " + base64.b64encode(b"user:hunter2").decode()
CODES = {
    "denied": (403, "DENIED", "requested access to the resource is denied"),
    "forbidden": (403, "UNAUTHORIZED", "no permission"),
    "quota": (403, "DENIED", "adding 2 MiB of storage would exceed the configured upper quota limit"),
    "maintenance": (403, "DENIED", "The system is in read only mode"),
    "strange": (403, "", ""),
    "unknown": (404, "NAME_UNKNOWN", "repository name not known to registry"),
    "page": (404, "", ""),
    "method": (405, "UNSUPPORTED", "unsupported"),
    "busy": (429, "TOOMANYREQUESTS", "slow down"),
    "broken": (500, "UNKNOWN", "x"),
    "away": (503, "", ""),
    "moved": (307, "", ""),
}


class Handler(Answers, BaseHTTPRequestHandler):
    """The first word of a repository says how this registry takes a push."""

    seen: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.seen.append(f"POST {self.path}")
        word, given = self.path.split("/")[2], self.headers["Authorization"]
        server = f"http://{self.headers['Host']}"
        if word in CODES:
            code, name, message = CODES[word]
            body = json.dumps({"errors": [{"code": name, "message": message}]}) if name else "<html>"
            self.say(code, body.encode())
        elif word == "basic" and given != USER:
            self.say(401, WWW_Authenticate='Basic realm="r"')
        elif word == "refused":
            self.say(401)
        elif word in ("token", "narrow", "tokens-500") and not (given or "").startswith("Bearer"):
            self.say(401, WWW_Authenticate=f'Bearer realm="{server}/{word}",service="s"')
        elif word == "narrow":
            self.say(401, WWW_Authenticate='Bearer realm="x",error="insufficient_scope"')
        elif word == "elsewhere":
            self.say(202, Location="http://localhost:1/v2/x")
        else:
            self.say(202, Location=f"/v2/{word}/blobs/uploads/session-1?_state=a")

    def do_GET(self) -> None:
        self.seen.append(f"GET {self.path}")
        if "/manifests/" in self.path:
            annotations = {INPUTS_ANNOTATION: self.path.split("/")[3]}
            self.say(200, json.dumps({"annotations": annotations}).encode())
        elif self.path.startswith("/tokens-500"):
            self.say(500)
        elif self.headers["Authorization"] != USER:
            self.say(401, b'{"details": "incorrect username or password"}')
        else:
            self.say(200, b'{"token": "tok"}')

    def do_DELETE(self) -> None:
        self.seen.append(f"DELETE {self.path} {self.headers['Authorization'] or ''}".rstrip())
        self.say(204)


@pytest.fixture
def server() -> Iterator[str]:
    """host:port of a registry of this test's own."""
    yield from serve(type("Handler", (Handler,), {"seen": []}))


def check(host: str, name: str, *, login: Mapping[str, str] | None = None, seconds: float = 60) -> None:
    logins = {host: login} if login else {}
    registries = Registries({host: Registry(host=host, http=True)}, logins, None, seconds)
    PushCheck([(host, name)], lambda: registries, seconds).wait()


def entry(password: str = "hunter2") -> dict[str, str]:
    return {"username": "user", "password": password}


@pytest.mark.parametrize(
    "word",
    [
        "fine", "elsewhere", "basic", "token", "quota", "maintenance", "strange", "page", "method", "busy", "broken",
        "away", "moved", "tokens-500",
    ],
)  # fmt: skip
def test_what_is_allowed_or_not_clear_is_left_to_the_push(server: str, word: str) -> None:
    check(server, f"{word}/app", login=entry())


@pytest.mark.parametrize(
    ("word", "login", "reason", "says"),
    [
        pytest.param("basic", entry("wrong"), "RegistryUnauthorized", "401", id="a wrong password"),
        pytest.param("token", entry("wrong"), "RegistryUnauthorized", "401", id="one that the token server refuses"),
        pytest.param("basic", None, "RegistryUnauthorized", "no Secret in registrySecrets is for", id="no password"),
        pytest.param("token", None, "RegistryUnauthorized", "no Secret", id="none for the token server"),
        pytest.param("narrow", None, "RegistryUnauthorized", "no Secret", id="none, and a token for everybody"),
        pytest.param("refused", entry(), "RegistryUnauthorized", "401", id="a refusal without a challenge"),
        pytest.param("narrow", entry(), "RegistryDenied", "401", id="a token that lacks the right"),
        pytest.param("denied", entry(), "RegistryDenied", "403 DENIED: requested access", id="denied"),
        pytest.param("forbidden", entry(), "RegistryDenied", "403 UNAUTHORIZED: no permission", id="forbidden"),
        pytest.param("unknown", entry(), "RepositoryNotFound", "404 NAME_UNKNOWN", id="no such repository"),
    ],
)
def test_what_the_push_would_be_refused_for_is_named(
    server: str, word: str, login: dict[str, str] | None, reason: str, says: str
) -> None:
    with pytest.raises(Problem) as raised:
        check(server, f"{word}/app", login=login)
    assert raised.value.reason.value == reason
    assert raised.value.message.startswith(f"{server}/{word}/app: ")
    assert says in raised.value.message
    assert "hunter2" not in raised.value.message


def test_a_login_that_only_buildkit_can_use_is_left_to_it(server: str) -> None:
    check(server, "basic/app", login={"identitytoken": "x"})


def test_a_registry_that_never_answers_takes_no_longer_than_the_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        check(f"127.0.0.1:{silent.getsockname()[1]}", "any", seconds=0.3)


def test_a_registry_that_is_not_there_is_left_to_the_push() -> None:
    check("127.0.0.1:1", "any")


# --- in a build pod


def plan(server: str, *images: str, **output: Any) -> Plan:
    return Plan(
        dockerfile=Dockerfile(inline="FROM scratch\n"),
        registries=(Registry(host=server, http=True),),
        output=Output(images=tuple(f"{server}/{image}" for image in images), **output),
    )


@pytest.fixture
def watched() -> Iterator[tuple[str, list[str]]]:
    """host:port, and the requests that come."""
    handler = type("Handler", (Handler,), {"seen": []})
    for address in serve(handler):
        yield address, handler.seen  # type: ignore[attr-defined]


def test_a_refused_push_ends_the_build_before_a_step_runs(pod: Pod, server: str) -> None:
    found, log, code = pod.run(plan(server, "fine/app:1", "denied/app:1", "denied/app:2"))
    assert (found.essentials.reason, code) == (Reason.REGISTRY_DENIED, 1), log
    assert f"{server}/denied/app" in found.essentials.message
    assert not pod.seen("buildctl")


def test_an_upload_is_asked_for_once_for_each_repository_and_taken_back(
    pod: Pod, watched: tuple[str, list[str]]
) -> None:
    server, seen = watched
    pod.behave(calls=[{"trace": [], "metadata": {"containerimage.digest": "sha256:" + "a" * 64}, "sleep": 1}])
    found, log, _ = pod.run(plan(server, "fine/app:1", "fine/app:2"))
    assert found.essentials.reason is Reason.BUILT, log
    assert re.search(rf"push to {server}/fine/app: allowed", log)
    assert seen == ["POST /v2/fine/app/blobs/uploads/", "DELETE /v2/fine/blobs/uploads/session-1?_state=a"]


def test_a_build_that_pushes_nothing_asks_for_nothing(pod: Pod, watched: tuple[str, list[str]]) -> None:
    server, seen = watched
    found, _, _ = pod.run(plan(server))
    assert (found.essentials.reason, seen) == (Reason.BUILT, [])


def test_an_image_that_is_there_already_needs_no_right_to_push(pod: Pod, watched: tuple[str, list[str]]) -> None:
    server, _ = watched
    made_from = hashlib.sha256(f"inputs\0\0{os.uname().machine}".encode()).hexdigest()
    found, log, _ = pod.run(plan(server, f"denied/{made_from}:1", if_exists=IfExists.REUSE, inputs="inputs"))
    assert found.essentials.reason is Reason.ALREADY_BUILT, log
