"""Credentials by the identity of the pod's service account: which hosts are asked for, of whom, and what comes of it."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagebuild.contract.plan import LIMIT, Dockerfile, Output, Plan, Proxy, RegistrySecret, dump
from imagebuild.contract.reasons import Reason
from imagebuild.runner.credentials import login
from imagebuild.runner.identity import Identity, dockerfile, hosts
from imagebuild.runner.problem import Problem
from runner.pod import Pod

ECR, GAR, ACR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "europe-west1-docker.pkg.dev", "team.azurecr.io"
SECRET = "hunter2"
AWS = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": "arn"}
AZURE = {"AZURE_FEDERATED_TOKEN_FILE": "/token"}
HELPER = """
import json, os, pathlib, sys, time
assert sys.argv[1:] == ["get"], sys.argv
host = sys.stdin.read()
with open({seen!r}, "a") as file:
    file.write(json.dumps({{"host": host, "env": dict(os.environ)}}) + "\\n")
{then}
"""
ANSWERS = f'print(json.dumps({{{{"ServerURL": host, "Username": "{{user}}", "Secret": "{SECRET}"}}}}))'
REFUSES = 'print("denied by the cloud\\nand more"); print("noise", file=sys.stderr); sys.exit(1)'


def helper(directory: Path, name: str, then: str) -> Path:
    """A program by that name; where it writes whom it was asked for."""
    seen, program = directory / f"{name}.seen", directory / f"docker-credential-{name}"
    program.write_text(f"#!{sys.executable}\n{textwrap.dedent(HELPER.format(seen=str(seen), then=then))}")
    program.chmod(0o755)
    return seen


def asked(seen: Path) -> list[str]:
    return [json.loads(line)["host"] for line in seen.read_text().splitlines()] if seen.exists() else []


def plan(host: str = ECR, account: str = "pusher", **more: Any) -> Plan:
    return Plan(
        output=Output(images=(f"{host}/shop:1",)),
        dockerfile=Dockerfile(inline="FROM scratch\n"),
        service_account=account,
        **more,
    )


def identity(directory: Path, given: Plan, pod: dict[str, str], **more: Any) -> Identity:
    env = {"PATH": f"{directory}:{os.environ['PATH']}"}
    return Identity(given, more.pop("logins", {}), env, pod, **more)


@pytest.mark.parametrize(
    ("host", "helper"),
    [
        pytest.param(ECR, "ecr-login", id="ECR"),
        pytest.param("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "ecr-login", id="ECR in China"),
        pytest.param("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "ecr-login", id="ECR by FIPS"),
        pytest.param("123456789012.dkr-ecr.eu-west-1.on.aws", "ecr-login", id="ECR over IPv6"),
        pytest.param(GAR, "gcr", id="Artifact Registry"),
        pytest.param("us-docker.pkg.dev", "gcr", id="Artifact Registry of several regions"),
        pytest.param("docker.us-east1.rep.pkg.dev", "gcr", id="Artifact Registry by its regional endpoint"),
        pytest.param("gcr.io", "gcr", id="the old registry"),
        pytest.param("eu.gcr.io", "gcr", id="the old registry in Europe"),
        pytest.param(ACR, "acr-env", id="ACR"),
        pytest.param("team.azurecr.cn", "acr-env", id="ACR in China"),
    ],
)
def test_the_registries_of_clouds_are_known_by_their_names(host: str, helper: str) -> None:
    for text in (f"FROM {host}/a:1", f"ARG BASE={host}/a", f'"{host}/a:1"', f'["r.io","{host}"]', f"a\n{host}/b", host):
        assert {found: each.helper for found, each in hosts(text).items()} == {host: helper}, text


@pytest.mark.parametrize(
    "text",
    [
        "registry.example.com/a",
        f"{ECR}.evil.io/a",
        f"evil.{ECR}/a",
        f"{GAR}.evil.io/a",
        "evil-gcr.io/a",
        "docker.pkg.dev/a",
        f"{ACR}:444/a",
        "public.ecr.aws/a",
        "${ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/a",
    ],
)
def test_no_other_host_is_taken_for_one(text: str) -> None:
    assert hosts(text) == {}


@pytest.mark.parametrize(
    ("host", "pod", "helper_name", "user"),
    [
        pytest.param(ECR, AWS, "ecr-login", "AWS", id="AWS by a role"),
        pytest.param(ECR, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://a"}, "ecr-login", "AWS", id="AWS by an agent"),
        pytest.param(GAR, {}, "gcr", "oauth2accesstoken", id="Google, where nothing in the pod tells"),
    ],
)
def test_what_a_helper_answers_is_a_login_and_the_helper_is_for_buildctl(
    tmp_path: Path, host: str, pod: dict[str, str], helper_name: str, user: str
) -> None:
    seen = helper(tmp_path, helper_name, ANSWERS.format(user=user))
    found = identity(tmp_path, plan(host), pod)
    for _ in range(2):
        found.look(f"{host}/a")
    assert asked(seen) == [host], "once"
    assert found.helpers == {host: helper_name}
    assert login(found.logins, host) == f"{user}:{SECRET}"


def test_a_refresh_token_of_azure_is_a_password_for_look_ups(tmp_path: Path) -> None:
    helper(tmp_path, "acr-env", ANSWERS.format(user="<token>"))
    found = identity(tmp_path, plan(ACR), AZURE)
    found.look(f"{ACR}/a")
    assert login(found.logins, ACR) == f"00000000-0000-0000-0000-000000000000:{SECRET}"


def test_a_helper_sees_of_the_pods_environment_only_what_names_the_identity(tmp_path: Path) -> None:
    seen = helper(tmp_path, "ecr-login", ANSWERS.format(user="AWS"))
    found = identity(tmp_path, plan(), {**AWS, "AWS_ENDPOINT_URL_STS": "http://sts", "AWS_SECRET_ACCESS_KEY": SECRET})
    found.look(f"{ECR}/a")
    names = set(json.loads(seen.read_text())["env"]) - {"LC_CTYPE"}  # Python's own
    assert names == {"PATH", *AWS, "AWS_ENDPOINT_URL_STS"}
    assert set(found.environment) == {*AWS, "AWS_ENDPOINT_URL_STS"}


@pytest.mark.parametrize(
    "own",
    [
        pytest.param({"username": "AWS", "password": "own"}, id="a password"),
        pytest.param({"identitytoken": "own"}, id="a token alone, as some clouds' tools write it"),
    ],
)
def test_a_secret_for_the_host_wins(tmp_path: Path, own: dict[str, str]) -> None:
    seen = helper(tmp_path, "ecr-login", REFUSES)
    found = identity(tmp_path, plan(), AWS, logins={ECR: own})
    found.look(f"{ECR}/a")
    assert (asked(seen), found.helpers, found.logins, found.environment) == ([], {}, {}, {})


STATUS = 500
"""Characters that the status has for a message."""
FAILURES = {
    "that refuses": (REFUSES, AWS, "gets no credentials from docker-credential-ecr-login at AWS"),
    "that says why": (REFUSES, AWS, "denied by the cloud"),
    "that says much": ("print('x' * 900 + ' the cause'); sys.exit(1)", AWS, "x the cause"),
    "that dies": ("sys.exit(3)", AWS, "exit code 3"),
    "that answers nonsense": (f"print('{SECRET}')", AWS, "an answer that cannot be read"),
    "that answers half": (f"print(json.dumps({{'Secret': '{SECRET}'}}))", AWS, "an answer that cannot be read"),
    "that is not asked, for nothing names an identity": (REFUSES, {}, "nothing sets AWS_WEB_IDENTITY_TOKEN_FILE"),
}


@pytest.mark.parametrize(("then", "pod", "said"), FAILURES.values(), ids=FAILURES)
def test_a_helper_without_credentials_for_a_push_names_host_account_cause_and_what_to_do(
    tmp_path: Path, then: str, pod: dict[str, str], said: str
) -> None:
    helper(tmp_path, "ecr-login", then)
    with pytest.raises(Problem) as raised:
        identity(tmp_path, plan(), pod).look(f"{ECR}/a")
    assert raised.value.reason is Reason.REGISTRY_UNAUTHORIZED
    assert len(raised.value.message) <= STATUS
    for word in (said, ECR, "the service account pusher", "eks.amazonaws.com/role-arn", "registrySecrets"):
        assert word in raised.value.message
    assert SECRET not in raised.value.message
    assert "and more" not in raised.value.message


def test_a_helper_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    helper(tmp_path, "ecr-login", "time.sleep(3600)")
    with pytest.raises(Problem, match="has no answer within 1 s: does the pod reach AWS") as raised:
        identity(tmp_path, plan(), AWS, seconds=1.0).look(f"{ECR}/a")
    assert raised.value.reason is Reason.REGISTRY_UNAVAILABLE


def test_what_is_only_read_may_be_open_to_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    helper(tmp_path, "gcr", REFUSES)
    found = identity(tmp_path, plan("r.io"), {})
    found.look("FROM gcr.io/distroless/static")
    assert (found.helpers, found.logins) == ({}, {})
    assert "denied by the cloud" in capsys.readouterr().out


def test_a_cache_that_cannot_be_written_fails_no_build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    helper(tmp_path, "ecr-login", REFUSES)
    given = plan("r.io", cache_exports=(f"{ECR}/cache:main",))
    identity(tmp_path, given, AWS).look(f"{ECR}/cache:main")
    assert "denied by the cloud" in capsys.readouterr().out


def test_nobody_is_asked_where_nobody_named_a_service_account_and_no_identity_shows(tmp_path: Path) -> None:
    seen = [helper(tmp_path, name, REFUSES) for name in ("gcr", "ecr-login", "acr-env")]
    identity(tmp_path, plan(account=""), {}).look(f"{ECR}/a {GAR}/a {ACR}/a")
    assert [asked(file) for file in seen] == [[], [], []]


def test_a_dockerfile_out_of_the_source_is_not_read(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "secret").write_text("no")
    (source / "Dockerfile").symlink_to("../secret")
    (source / "Real").write_text(f"FROM {ECR}/base\n")
    assert dockerfile(Plan(), source) == ""
    assert dockerfile(Plan(dockerfile=Dockerfile(path="Real")), source) == f"FROM {ECR}/base\n"
    assert dockerfile(Plan(dockerfile=Dockerfile(path="none")), source) == ""


# --- the whole runner


def test_buildctl_gets_the_helpers_for_all_that_plan_and_dockerfile_name(pod: Pod) -> None:
    for name in ("ecr-login", "gcr"):
        helper(pod.bin, name, ANSWERS.format(user="AWS"))
    pod.env = AWS
    text = f"# syntax=docker/dockerfile:1\nFROM {GAR}/team/base\n"
    given = Plan(
        dockerfile=Dockerfile(inline=text), output=Output(images=(f"{ECR}/a:1", "r.io/a:1")), service_account="pusher"
    )
    found, log, code = pod.run(given)
    assert code == 0, log
    assert found.essentials.reason is Reason.BUILT
    written = json.loads((pod.work / "docker" / "config.json").read_text())
    assert written == {"auths": {}, "credHelpers": {ECR: "ecr-login", GAR: "gcr"}}
    (started,) = pod.seen("buildctl")
    assert {name: started["env"].get(name) for name in AWS} == AWS
    assert SECRET not in log


def test_a_plan_as_large_as_it_may_be_has_room_for_what_the_runner_adds(pod: Pod) -> None:
    proxy = Proxy(http="127.0.0.1:9", https=None)
    given = Plan(dockerfile=Dockerfile(inline="FROM scratch\n"), proxy=proxy)
    room = LIMIT - len(dump(replace(given, args=("--opt", "build-arg:A="))))
    found, log, _ = pod.run(replace(given, args=("--opt", f"build-arg:A={'x' * room}")))
    assert found.essentials.reason is Reason.BUILT, log


def test_a_build_that_may_not_push_ends_before_buildkit_is_asked(pod: Pod) -> None:
    helper(pod.bin, "ecr-login", REFUSES)
    pod.env = AWS
    found, _, code = pod.run(plan())
    assert (code, found.essentials.reason) == (1, Reason.REGISTRY_UNAUTHORIZED)
    assert "denied by the cloud" in found.essentials.message
    assert pod.seen("buildctl") == []


def test_a_build_without_clouds_gives_buildctl_nothing_of_the_identity(pod: Pod) -> None:
    pod.env = AWS
    secret = pod.directory / "push"
    secret.mkdir()
    (secret / ".dockerconfigjson").write_text(json.dumps({"auths": {ECR: {"username": "AWS", "password": SECRET}}}))
    pod.run(plan(registry_secrets=(RegistrySecret(name="push", path=str(secret)),)))
    (started,) = pod.seen("buildctl")
    assert not set(started["env"]) & set(AWS)
    assert "credHelpers" not in json.loads((pod.work / "docker" / "config.json").read_text())
