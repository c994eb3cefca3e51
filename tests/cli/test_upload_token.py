"""How a registry is shown the user's login, and who is not shown it."""

from __future__ import annotations

import base64
import re

import pytest

from cli.pushing import Push, noise
from cli.uploadregistry import BASIC, Fault, Registry
from imagebuild.cli.upload import UploadError


def pair(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_the_login_is_shown_as_the_registry_asks_for_it(push: Push, kind: str) -> None:
    push.registry.login = kind
    push.login(auth=pair("me:hunter2"))
    push()
    scope = "service=s&scope=repository%3Ateam%2Fapp%3Apull%2Cpush"
    assert push.registry.shown == ([(scope, BASIC)] if kind == "bearer" else [])


def test_an_identity_token_is_given_for_one_of_the_registry(push: Push) -> None:
    push.registry.login = "bearer"
    push.login(auth=pair("me:"), identitytoken="refresh")
    push()
    (asked, authorization), *more = push.registry.shown
    assert ("grant_type=refresh_token" in asked, "pull%2Cpush" in asked, authorization, more) == (True, True, "", [])


def test_a_token_that_expires_on_the_way_is_renewed(push: Push, piece: int) -> None:
    push.registry.login, push.registry.token_uses = "bearer", 3
    (push.directory / "Dockerfile").unlink()  # another archive beside it would use up the new token, too
    push.write("large", noise(piece + 1000))
    push.login(auth=pair("me:hunter2"))
    push()
    assert len(push.registry.shown) > 1


@pytest.mark.parametrize(
    ("kind", "entry", "said"),
    [
        pytest.param("basic", {}, "answers 401 .*: log in with `docker login", id="none"),
        pytest.param(
            "basic", {"auth": pair("me:wrong")}, "answers 401 .*: log in with `docker login", id="a wrong one"
        ),
        pytest.param("bearer", {}, "/token gives no token for pushing .*docker login", id="none for the token server"),
        pytest.param("bearer", {"registrytoken": "old"}, "answers 401", id="an old token"),
    ],
)
def test_a_login_that_does_not_do_is_named_and_not_shown(
    push: Push, kind: str, entry: dict[str, str], said: str
) -> None:
    push.registry.login = kind
    push.login(**entry)
    with pytest.raises(UploadError, match=said) as raised:
        push()
    assert not re.search(r"wrong|old|hunter2", str(raised.value))


def test_no_more_is_read_of_a_token_server_than_a_token_can_be(push: Push) -> None:
    push.registry.login, push.registry.token_padding = "bearer", 1 << 20
    push.login(auth=pair("me:hunter2"))
    with pytest.raises(UploadError, match="answers without a token"):
        push()


def test_the_login_stays_with_the_registry(push: Push) -> None:
    """A place for uploads elsewhere, such as a bucket, is shown nothing."""
    push.registry.login = "basic"
    push.login(auth=pair("me:hunter2"))
    bucket = Registry(login="basic")
    with bucket.serve() as elsewhere:
        location = {"Location": f"http://{elsewhere}/v2/x/blobs/uploads/u"}
        push.registry.faults.append(Fault("POST", "/blobs/uploads/", 202, count=99, headers=location))
        with pytest.raises(UploadError, match="answers 401"):
            push()
    assert bucket.requests("PUT")
