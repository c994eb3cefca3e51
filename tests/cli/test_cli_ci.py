"""`imagebuild build` in a CI job: what it makes of flags and variables, whose the ImageBuild is, and
what crosses.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest

import jobs
from imagebuild.cli.ci import credentials, filling, github, gitlab, identity
from imagebuild.cli.ci.facts import Facts
from imagebuild.cli.ci.job import detect
from imagebuild.cli.ci.pod import Pod
from imagebuild.cli.commands.build import command
from imagebuild.cli.request import requested
from imagebuild.cli.terminal import Screen

POD = Pod(namespace="ci", name="runner-1", uid="0b5c")
IMAGE = "registry.gitlab.example.com/team/shop"
GIT = {"git": {"url": "https://gitlab.example.com/team/shop.git", "commit": jobs.COMMIT}}


TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def gitlab_facts(**change: str) -> Facts:
    facts = gitlab.facts({**jobs.GITLAB_BRANCH, **change})
    assert facts is not None
    return facts


def github_facts(environ: Mapping[str, str] = jobs.GITHUB_PUSH, **change: str) -> Facts:
    facts = github.facts({**environ, **change}, jobs.GITHUB_EVENT)
    assert facts is not None
    return facts


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As GitLab leaves it: a detached HEAD."""
    place = tmp_path / "shop"
    for name in ("Dockerfile", "api/Dockerfile", "build/api.dockerfile"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(f"FROM {name}\n")
    git(place, "init", "--quiet")
    git(place, "add", "--all")
    git(place, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message=one")
    git(place, "checkout", "--quiet", "--detach")
    monkeypatch.chdir(place)
    return place


def git(place: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=place, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def built(facts: Facts, *words: str) -> tuple[dict[str, Any], str]:
    """The spec that a command line in that job comes to, and what was said. What is sent is called so."""
    given = command.make_context("build", list(words)).params
    said = io.StringIO()
    wanted = requested(
        filling.filled(given, facts, Screen(said)), None, lambda *words: {"oci": {"image": f"sent to {words[1]}"}}
    )
    return filling.with_base(wanted["spec"], facts), said.getvalue()


def at(place: Path, **change: str) -> Facts:
    return gitlab_facts(CI_PROJECT_DIR=str(place), CI_COMMIT_SHA=git(place, "rev-parse", "HEAD"), **change)


def test_in_gitlab_nothing_but_the_directory_is_said(checkout: Path) -> None:
    facts = at(checkout)
    spec, said = built(facts, ".")
    source = {"url": "https://gitlab.example.com/team/shop.git", "branch": "feature/basket", "commit": facts.commit}
    assert spec == {
        "source": {"git": source},
        "output": {"images": [f"{IMAGE}:{facts.commit}"]},
        "cache": {"branch": {"base": "main"}},
        "ttlAfterFinished": "24h",
    }
    assert f"commit {facts.commit}" in said


@pytest.mark.parametrize(
    ("words", "path", "dockerfile"),
    [
        pytest.param(["api"], "api", None, id="a directory is a path in the repository"),
        pytest.param([".", "--path", "api"], "api", None, id="so is --path"),
        pytest.param(["api", "-f", "api/Dockerfile"], "api", {"path": "Dockerfile"}, id="a Dockerfile in it"),
        pytest.param(
            ["api", "-f", "build/api.dockerfile"], "api", {"inline": "FROM build/api.dockerfile\n"},
            id="a Dockerfile beside it goes along",
        ),
        pytest.param(["api", "-f", "gone"], "api", {"path": "gone"}, id="one that is not there is the repository's"),
    ],
)  # fmt: skip
def test_directory_and_dockerfile_are_those_of_the_repository(
    checkout: Path, words: list[str], path: str, dockerfile: dict[str, str] | None
) -> None:
    spec, _ = built(at(checkout), *words)
    assert (spec["source"]["path"], spec.get("dockerfile")) == (path, dockerfile)


def test_nothing_has_to_be_checked_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spec, _ = built(gitlab_facts(CI_PROJECT_DIR=str(tmp_path)), ".")
    assert spec["source"]["git"]["commit"] == jobs.COMMIT


def test_a_branch_that_is_checked_out_is_looked_up(checkout: Path) -> None:
    git(checkout, "checkout", "--quiet", "-B", "feature/x")
    assert "git" in built(at(checkout), ".")[0]["source"]
    git(checkout, "pack-refs", "--all")
    assert "git" in built(at(checkout), ".")[0]["source"]


def test_files_that_the_command_writes_itself_are_no_difference(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout)
    (checkout / "image.env").write_text("")
    assert "image.env" in built(at(checkout), ".")[1]
    assert "Not as in the commit" not in built(at(checkout), ".", "--dotenv", "image.env")[1]


def test_files_that_differ_from_the_commit_are_named(checkout: Path) -> None:
    (checkout / "api" / "new").touch()
    assert "api/new" in built(at(checkout), ".")[1]
    assert "Not as" not in built(at(checkout), "build")[1]


@pytest.mark.parametrize("words", [["."], ["api"]], ids=["root", "below"])
def test_another_commit_than_the_jobs_is_sent(checkout: Path, words: list[str]) -> None:
    spec, said = built(gitlab_facts(CI_PROJECT_DIR=str(checkout)), *words)
    assert spec["source"] == {"oci": {"image": f"sent to {IMAGE}"}}
    assert "not at this job's commit" in said


def test_local_sends_and_outside_of_the_checkout_there_is_no_commit(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert "oci" in built(at(checkout), ".", "--local")[0]["source"]
    assert "oci" in built(at(checkout), str(elsewhere))[0]["source"]


def test_what_is_said_wins(checkout: Path) -> None:
    spec, _ = built(at(checkout), ".", "--branch", "other", "-t", "r.io/a:1", "--ttl", "1h")
    assert spec["source"]["git"] == {"url": "https://gitlab.example.com/team/shop.git", "branch": "other"}
    assert (spec["output"], spec["ttlAfterFinished"]) == ({"images": ["r.io/a:1"]}, "1h")


def test_a_pull_request_is_its_merge_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    facts = github_facts(jobs.GITHUB_PULL_REQUEST, GITHUB_WORKSPACE=str(tmp_path))
    spec, _ = built(facts, ".", "-t", "ghcr.io/team/shop:1")
    assert spec["source"]["git"] == {
        "url": "https://github.com/Team/shop.git",
        "ref": "refs/pull/7/merge",
        "commit": jobs.COMMIT,
    }
    assert spec["cache"] == {"branch": {"base": "release/1"}}


@pytest.mark.parametrize(
    ("spec", "cache"),
    [
        pytest.param({"cache": {"branch": {"base": "x"}}}, {"branch": {"base": "x"}}, id="a base that was said"),
        pytest.param({"cache": {"import": [{}]}}, {"import": [{}]}, id="caches of one's own turn the branch's off"),
        pytest.param({"cache": {"noCache": True}}, {"noCache": True, "branch": {"base": "main"}}, id="others do not"),
        pytest.param({"output": {"discard": True}}, None, id="no image, no cache"),
        pytest.param({"source": {"oci": {}}}, None, id="no branch, no cache"),
    ],
)
def test_the_base_is_said_where_there_is_a_branch_cache(spec: dict[str, Any], cache: object) -> None:
    whole = {"source": GIT, "output": {"images": [IMAGE]}, **spec}
    assert filling.with_base(whole, gitlab_facts()).get("cache") == cache


def test_the_same_in_the_same_job_has_one_name() -> None:
    spec = {"source": GIT, "output": {"images": [f"{IMAGE}:1"]}}
    name = identity.name(gitlab_facts(), POD, spec)
    assert name.startswith("shop-")
    assert name == identity.name(gitlab_facts(), POD, dict(reversed(spec.items())))
    others = [
        identity.name(gitlab_facts(CI_JOB_ID="51"), POD, spec),
        identity.name(gitlab_facts(), None, spec),
        identity.name(gitlab_facts(), POD, {**spec, "dockerfile": {"target": "test"}}),
        identity.name(github_facts(), POD, spec),
    ]
    assert len({name, *others}) == 5


def test_the_job_is_named_and_its_pod_owns_the_build() -> None:
    made = identity.metadata({"name": "a", "annotations": {"x": "y"}}, gitlab_facts(), POD)
    assert made["ownerReferences"] == [POD.reference]
    assert made["annotations"] == {"imagebuild.dev/job": "https://gitlab.example.com/team/shop/-/jobs/50", "x": "y"}
    assert "ownerReferences" not in identity.metadata({"name": "a"}, gitlab_facts(), None)


@pytest.mark.parametrize(
    ("traceparent", "annotations"),
    [
        pytest.param(TRACEPARENT, {"imagebuild.dev/traceparent": TRACEPARENT}, id="a job that is traced"),
        pytest.param("whatever", None, id="a variable that is no traceparent"),
    ],
)
def test_the_build_s_trace_is_a_part_of_the_job_s(traceparent: str, annotations: dict[str, str] | None) -> None:
    facts = detect({"IMAGEBUILD_JOB": "argo-123", "TRACEPARENT": traceparent})
    assert facts is not None
    assert identity.metadata({"name": "a"}, facts, None).get("annotations") == annotations


def crossing(spec: dict[str, Any], facts: Facts) -> tuple[bool, list[str]]:
    whole = {"source": GIT, "output": {"images": [f"{IMAGE}:1"]}, **spec}
    return credentials.git_login(whole, facts) is not None, list(credentials.registry_auths(whole, facts))


SECRETS = {"source": {"git": {**GIT["git"], "secretRef": {"name": "s"}}}, "registrySecrets": [{"name": "r"}]}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, (True, ["registry.gitlab.example.com"]), id="nothing is named: the job's"),
        pytest.param(SECRETS, (False, []), id="Secrets are named"),
        pytest.param({"pod": {"serviceAccountName": "cloud-push"}}, (True, []), id="a cloud identity pushes"),
        pytest.param({"output": {"images": ["ecr.example.com/a:1"]}}, (True, []), id="another registry"),
        pytest.param({"output": {"discard": True}}, (True, ["registry.gitlab.example.com"]), id="it may pull"),
        pytest.param(
            {"source": {"git": {"url": "https://gitlab.example.com.evil.io/a.git"}}},
            (False, ["registry.gitlab.example.com"]),
            id="another git server",
        ),
        pytest.param(
            {"source": {"git": {"url": "ssh://git@gitlab.example.com/a.git"}}},
            (False, ["registry.gitlab.example.com"]),
            id="a token is no key",
        ),
    ],
)
def test_of_the_jobs_token_no_more_crosses_than_is_needed(
    spec: dict[str, Any], expected: tuple[bool, list[str]]
) -> None:
    assert crossing(spec, gitlab_facts()) == expected


def test_the_secrets_are_immutable_of_their_type_and_the_builds() -> None:
    facts = gitlab_facts()
    made = credentials.secrets("shop-1", facts.git, credentials.auths(facts.registries))
    assert [(each["metadata"]["name"], each["type"], each["immutable"]) for each in made] == [
        ("shop-1-git", "kubernetes.io/basic-auth", True),
        ("shop-1-registry", "kubernetes.io/dockerconfigjson", True),
    ]
    assert made[0]["stringData"] == {"username": "gitlab-ci-token", "password": jobs.TOKEN}
    auth = json.loads(made[1]["stringData"][".dockerconfigjson"])["auths"]["registry.gitlab.example.com"]["auth"]
    assert base64.b64decode(auth).decode() == f"gitlab-ci-token:{jobs.TOKEN}"

    spec = credentials.with_secrets({"source": GIT, "output": {}}, made)
    assert spec["source"]["git"] == {**GIT["git"], "secretRef": {"name": "shop-1-git"}}
    assert spec["registrySecrets"] == [{"name": "shop-1-registry"}]
    assert jobs.TOKEN not in str(spec)

    owned = credentials.owned(made[0], {"metadata": {"name": "shop-1", "uid": "77", "labels": {}}})
    (owner,) = owned["metadata"]["ownerReferences"]
    assert owner == {"apiVersion": "imagebuild.dev/v1alpha1", "kind": "ImageBuild", "name": "shop-1", "uid": "77"}


def test_the_logins_of_a_docker_config_cross_and_those_of_helpers_do_not() -> None:
    config = {"auths": {"r.io": {"auth": "dTpw"}, "helped.io": {}}, "credHelpers": {"helped.io": "ecr"}}
    assert credentials.read(json.dumps(config)) == {"r.io": {"auth": "dTpw"}}
    for text in ("{}", '{"auths": {"a": {}}}', "[]", "words"):
        with pytest.raises(click.BadParameter):
            credentials.read(text)
