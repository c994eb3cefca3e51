"""The user's login for a registry: which file and which helper is asked, and what is made of the answer."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from imagebuild.cli.upload.login import Login, find_login, login_files
from imagebuild.cli.upload.problem import UploadError


def pair(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


ME, OTHER = {"auth": pair("me:pass:word")}, {"auth": pair("other:x")}
MINE = Login(user="me", password="pass:word")
HELPER = """\
#!/bin/sh
read server
case $1-$server in
    get-r.io) echo '{"ServerURL": "r.io", "Username": "helped", "Secret": "s"}' ;;
    get-https://index.docker.io/v1/) echo '{"ServerURL": "x", "Username": "hub", "Secret": "s"}' ;;
    get-token.io) echo '{"ServerURL": "x", "Username": "<token>", "Secret": "refresh"}' ;;
    get-broken.io) echo "the key chain is locked" >&2; exit 2 ;;
    get-odd.io) echo "no JSON" ;;
    *) echo "credentials not found in native keychain"; exit 1 ;;
esac
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    program = tmp_path / "bin/docker-credential-test"
    program.parent.mkdir()
    program.write_text(HELPER)
    program.chmod(0o755)
    return f"{program.parent}:/usr/bin:/bin"


def ask(tmp_path: Path, document: Any, host: str = "r.io", repository: str = "team/app", path: str = "/none") -> Login:
    file = tmp_path / "config.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return find_login(host, repository, [file], {"PATH": path})


@pytest.mark.parametrize(
    ("auths", "found"),
    [
        pytest.param({"r.io": ME}, MINE, id="as docker login writes it"),
        pytest.param({"https://r.io/v1/": ME}, MINE, id="as old ones wrote it"),
        pytest.param({"https://r.io": ME}, MINE, id="with a scheme"),
        pytest.param({"r.io": {"username": "me", "password": "pass:word"}}, MINE, id="as pipelines write it"),
        pytest.param({"r.io:443": ME, "xr.io": ME}, Login(), id="of others"),
        pytest.param({"r.io": OTHER, "r.io/team": ME, "r.io/te": OTHER}, MINE, id="podman's for a part of a registry"),
        pytest.param({"r.io": ME, "r.io/team/app/x": OTHER}, MINE, id="podman's for another part"),
        pytest.param(
            {"r.io": {"auth": pair("me:"), "identitytoken": "refresh"}}, Login(user="me", identity_token="refresh"),
            id="an identity token",
        ),
        pytest.param({"r.io": {"registrytoken": "bearer"}}, Login(registry_token="bearer"), id="a token of the registry"),
        pytest.param({"r.io": {}}, Login(), id="an empty entry"),
        pytest.param({}, Login(), id="nobody has logged in"),
    ],
)  # fmt: skip
def test_a_login_that_is_in_the_file(tmp_path: Path, auths: dict[str, Any], found: Login) -> None:
    assert ask(tmp_path, {"auths": auths}) == found


@pytest.mark.parametrize("name", ["https://index.docker.io/v1/", "docker.io", "index.docker.io"])
def test_docker_hub_has_many_names(tmp_path: Path, name: str) -> None:
    assert ask(tmp_path, {"auths": {name: ME}}, host="docker.io") == MINE


@pytest.mark.parametrize(
    ("host", "document", "found"),
    [
        pytest.param("r.io", {"credsStore": "test"}, Login(user="helped", password="s"), id="the store for all"),
        pytest.param("r.io", {"credHelpers": {"r.io": "test"}}, Login(user="helped", password="s"), id="its own"),
        pytest.param("r.io", {"credHelpers": {"x.io": "test"}}, Login(), id="of another registry"),
        pytest.param(
            "r.io", {"credHelpers": {"r.io": "test"}, "credsStore": "missing"}, Login(user="helped", password="s"),
            id="its own before the store",
        ),
        pytest.param("r.io", {"credsStore": "test", "auths": {"r.io": ME}}, Login(user="helped", password="s"), id="before the file"),
        pytest.param("other.io", {"credsStore": "test", "auths": {"other.io": ME}}, MINE, id="the file where it knows none"),
        pytest.param("other.io", {"credsStore": "test", "auths": {"other.io": {}}}, Login(), id="nobody has logged in"),
        pytest.param("docker.io", {"credsStore": "test"}, Login(user="hub", password="s"), id="Docker Hub by its old address"),
        pytest.param("docker.io", {"credHelpers": {"index.docker.io": "test"}}, Login(user="hub", password="s"), id="Docker Hub's own"),
        pytest.param("token.io", {"credsStore": "test"}, Login(identity_token="refresh"), id="an identity token"),
    ],
)  # fmt: skip
def test_a_login_that_a_helper_keeps(
    tmp_path: Path, path: str, host: str, document: dict[str, Any], found: Login
) -> None:
    assert ask(tmp_path, document, host=host, path=path) == found


@pytest.mark.parametrize(
    ("host", "document", "said"),
    [
        pytest.param("r.io", {"credsStore": "missing"}, "docker-credential-missing, .* cannot be started: install it", id="none"),
        pytest.param("broken.io", {"credsStore": "test"}, r"fails \(the key chain is locked\): log in again", id="one that fails"),
        pytest.param("odd.io", {"credsStore": "test"}, "answers with something else", id="one that says something else"),
        pytest.param("r.io", "{", "is no JSON", id="no JSON"),
        pytest.param("r.io", "[]", "is no JSON object", id="no object"),
        pytest.param("r.io", {"auths": {"r.io": {"auth": "%"}}}, "the login for r.io cannot be read", id="no base64"),
    ],
)  # fmt: skip
def test_a_login_that_cannot_be_had_is_named(tmp_path: Path, path: str, host: str, document: Any, said: str) -> None:
    with pytest.raises(UploadError, match=said):
        ask(tmp_path, document, host=host, path=path)


def test_a_login_shows_nothing_of_itself() -> None:
    assert "word" not in f"{MINE} {MINE!r}"


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        pytest.param({}, ["/home/.docker/config.json", "/home/.config/containers/auth.json"], id="by their places"),
        pytest.param(
            {"DOCKER_CONFIG": "/d", "REGISTRY_AUTH_FILE": "/p.json", "XDG_RUNTIME_DIR": "/r", "XDG_CONFIG_HOME": "/c"},
            ["/d/config.json", "/p.json", "/home/.docker/config.json", "/r/containers/auth.json", "/c/containers/auth.json"],
            id="by variables",
        ),
    ],
)  # fmt: skip
def test_where_logins_are(environ: dict[str, str], names: list[str]) -> None:
    assert [str(file) for file in login_files(environ, Path("/home"))] == names


def test_the_first_file_that_knows_a_login_has_the_word(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("missing", "first", "second")]
    files[1].write_text(json.dumps({"auths": {"x.io": OTHER}}))
    files[2].write_text(json.dumps({"auths": {"r.io": ME}}))
    assert find_login("r.io", "app", files, {}) == MINE
