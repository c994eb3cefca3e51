"""Mounted registry Secrets as one docker configuration. No message ever has anything of what is in one."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from imagebuild.contract.plan import RegistrySecret
from imagebuild.contract.reasons import Reason
from imagebuild.runner.credentials import login, merge, write
from imagebuild.runner.problem import Problem

PASSWORD = "hunter2"
AUTH = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
HUB = "https://index.docker.io/v1/"


def secret(directory: Path, name: str = "push", registry: str | None = None, **keys: Any) -> RegistrySecret:
    mounted = directory / name
    mounted.mkdir()
    (mounted / "..data").mkdir()
    for key, value in keys.items():
        (mounted / key).write_text(value if isinstance(value, str) else json.dumps(value))
    return RegistrySecret(name=name, path=str(mounted), registry=registry)


def basic(directory: Path, registry: str | None, name: str = "basic", user: str = "user") -> RegistrySecret:
    return secret(directory, name, registry, username=user, password=f"{PASSWORD}\n")


def auths(*registries: str, auth: str = AUTH) -> dict[str, Any]:
    return {".dockerconfigjson": {"auths": {registry: {"auth": auth} for registry in registries}}}


@pytest.mark.parametrize(
    ("keys", "registries"),
    [
        pytest.param(auths("r.io", "r.io:5000"), {"r.io", "r.io:5000"}, id="kubernetes.io/dockerconfigjson"),
        pytest.param({"config.json": {"auths": {"r.io": {"auth": AUTH}}}}, {"r.io"}, id="a config.json"),
        pytest.param({".dockercfg": {"r.io": {"auth": AUTH}}}, {"r.io"}, id="kubernetes.io/dockercfg, the old form"),
        pytest.param(auths("docker.io"), {HUB}, id="Docker Hub by its short name"),
        pytest.param(auths("https://index.docker.io/v1"), {HUB}, id="Docker Hub by its URL without a slash"),
        pytest.param(auths("registry-1.docker.io"), {HUB}, id="Docker Hub by its server"),
    ],
)
def test_a_secret_is_read_in_every_form_that_kubectl_makes(
    tmp_path: Path, keys: dict[str, Any], registries: set[str]
) -> None:
    assert set(merge([secret(tmp_path, **keys)])) == registries


@pytest.mark.parametrize(
    ("keys", "reason", "said"),
    [
        pytest.param({}, Reason.SECRET_MISSING, "does not exist", id="that does not exist"),
        pytest.param({"token": PASSWORD}, Reason.REGISTRY_UNAUTHORIZED, "has the keys token", id="of another type"),
        pytest.param({".dockerconfigjson": f"{{{PASSWORD}"}, Reason.REGISTRY_UNAUTHORIZED, "is not", id="no JSON"),
        pytest.param({".dockerconfigjson": [PASSWORD]}, Reason.REGISTRY_UNAUTHORIZED, "is not", id="a list"),
        pytest.param({".dockerconfigjson": {"auths": PASSWORD}}, Reason.REGISTRY_UNAUTHORIZED, "is not", id="no map"),
        pytest.param(
            {".dockerconfigjson": {"auths": {"r.io": PASSWORD}}}, Reason.REGISTRY_UNAUTHORIZED, "is not", id="no entry"
        ),
        pytest.param(
            {".dockerconfigjson": {"auths": {"r.io": {"auth": 7}}}},
            Reason.REGISTRY_UNAUTHORIZED,
            "is not",
            id="no text",
        ),
        pytest.param(
            {".dockerconfigjson": {"auths": {"r.io": {"auth": PASSWORD}}}},
            Reason.REGISTRY_UNAUTHORIZED,
            "is not",
            id="no base64",
        ),
        pytest.param(
            {".dockerconfigjson": {"credsStore": "ecr-login"}},
            Reason.REGISTRY_UNAUTHORIZED,
            "credential helpers",
            id="with a credential helper only",
        ),
        pytest.param(
            {"username": "user", "password": PASSWORD}, Reason.SPEC_INVALID, "for which registry", id="for no registry"
        ),
    ],
)
def test_a_secret_that_is_no_use_is_named_and_nothing_of_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], keys: dict[str, Any], reason: Reason, said: str
) -> None:
    with pytest.raises(Problem, match=said) as raised:
        merge([secret(tmp_path, **keys)])
    assert raised.value.reason is reason
    assert "push" in raised.value.message
    printed = capsys.readouterr()
    assert PASSWORD not in raised.value.message + printed.out + printed.err


def test_of_two_secrets_for_a_registry_the_last_one_wins(tmp_path: Path) -> None:
    other = base64.b64encode(b"user:other").decode()
    secrets = [
        secret(tmp_path, "first", **auths("r.io", "docker.io")),
        secret(tmp_path, "last", **auths("docker.io", auth=other)),
    ]
    logins = merge(secrets)
    assert (login(logins, "r.io"), login(logins, "docker.io")) == ("user:hunter2", "user:other")


def test_a_user_name_and_a_password_are_for_the_registry_that_the_spec_names(tmp_path: Path) -> None:
    logins = merge([basic(tmp_path, "r.io:5000"), basic(tmp_path, "docker.io", "hub")])
    assert set(logins) == {"r.io:5000", HUB}
    assert login(logins, "r.io:5000") == "user:hunter2"


PATHS = {
    "r.io": "all",
    "r.io/team": "team",
    "r.io/team/shop": "shop",
    "r.io/other": "other",
    "docker.io/alice": "alice",
}


@pytest.mark.parametrize(
    ("pushed", "user"),
    [
        pytest.param([("r.io", "team/shop")], "shop", id="the repository itself"),
        pytest.param([("r.io", "team/shop/api")], "shop", id="a path below"),
        pytest.param([("r.io", "team/shopping")], "team", id="a path is whole words"),
        pytest.param([("r.io", "team/a"), ("r.io", "team/b")], "team", id="two repositories, one login"),
        pytest.param([("r.io", "else")], "all", id="no path fits: what is for all of the registry"),
        pytest.param([], "all", id="nothing is pushed there"),
        pytest.param([("r.io:5000", "team/shop")], "all", id="another registry"),
    ],
)
def test_of_several_paths_of_a_registry_the_one_closest_to_what_is_pushed_wins(
    tmp_path: Path, pushed: list[tuple[str, str]], user: str
) -> None:
    entries = {registry: {"username": name, "password": "x"} for registry, name in PATHS.items()}
    keys: dict[str, Any] = {".dockerconfigjson": {"auths": entries}}
    logins = merge([secret(tmp_path, **keys)], pushed)
    assert (login(logins, "r.io"), login(logins, "docker.io")) == (f"{user}:x", "alice:x")
    assert set(logins) == {"r.io", HUB}, "buildctl looks for hosts"


def test_without_one_for_all_of_the_registry_the_last_path_is_used(tmp_path: Path) -> None:
    logins = merge([basic(tmp_path, "r.io/a", "a", "a"), basic(tmp_path, "r.io/b", "b", "b")])
    assert login(logins, "r.io") == "b:hunter2"


def test_two_logins_for_one_registry_in_one_build_are_refused_in_words(tmp_path: Path) -> None:
    secrets = [basic(tmp_path, "r.io/a", "a", "a"), basic(tmp_path, "r.io/b", "b", "b")]
    with pytest.raises(Problem, match=r"for r\.io/a/x and r\.io/b/y, and BuildKit logs in once per registry") as raised:
        merge(secrets, [("r.io", "a/x"), ("r.io", "b/y")])
    assert raised.value.reason is Reason.SPEC_INVALID


def test_the_same_login_under_two_paths_is_one_login(tmp_path: Path) -> None:
    secrets = [basic(tmp_path, "r.io/a", "a"), basic(tmp_path, "r.io/b", "b")]
    assert login(merge(secrets, [("r.io", "a/x"), ("r.io", "b/y")]), "r.io") == "user:hunter2"


@pytest.mark.parametrize(
    ("entry", "pair"),
    [
        pytest.param({"auth": AUTH}, "user:hunter2", id="auth"),
        pytest.param({"username": "user", "password": PASSWORD}, "user:hunter2", id="name and password"),
        pytest.param({"auth": "", "username": "user", "password": PASSWORD}, "user:hunter2", id="an empty auth"),
    ],
)
@pytest.mark.parametrize("registry", ["r.io", "https://r.io", "https://r.io/v1/", "https://r.io/v2/", "http://r.io"])
def test_a_login_is_found_however_its_registry_is_written(registry: str, entry: dict[str, str], pair: str) -> None:
    assert login({registry: entry}, "r.io") == pair


def test_no_login_of_another_registry_is_used() -> None:
    assert login({"r.io.evil.io": {"auth": AUTH}, "r.io:5000": {"auth": AUTH}}, "r.io") is None


def test_the_configuration_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    write({"r.io": {"auth": AUTH}}, tmp_path / "docker")
    file = tmp_path / "docker" / "config.json"
    assert json.loads(file.read_text()) == {"auths": {"r.io": {"auth": AUTH}}}
    assert (file.stat().st_mode & 0o077, file.parent.stat().st_mode & 0o077) == (0, 0)
