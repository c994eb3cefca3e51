"""A job and the API server: which ImageBuild it makes or goes on with, and when its token crosses."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest

import jobs
from imagebuild.cli.attach import Attached
from imagebuild.cli.ci import gitlab
from imagebuild.cli.ci.job import Job
from imagebuild.cli.ci.pod import Pod
from imagebuild.cli.problem import ApiError, Problem
from imagebuild.cli.refusals import Request, refusal
from imagebuild.cli.terminal import Screen

Document = dict[str, Any]

POD = Pod(namespace="ci", name="runner-1", uid="0b5c")
GIVEN = {"name": None, "generate_name": None, "job_token": None, "registry_login": None, "ci": True}
DOCUMENT: dict[str, Any] = {
    "apiVersion": "imagebuild.dev/v1alpha1",
    "kind": "ImageBuild",
    "metadata": {"name": "shop-random"},
    "spec": {
        "source": {"git": {"url": "https://gitlab.example.com/team/shop.git"}},
        "output": {"images": ["registry.gitlab.example.com/team/shop:1"]},
    },
}


class Server:
    """What it takes of cluster.Cluster: keeps what is created."""

    def __init__(self, *, secrets: bool = True, in_pod: bool = True, namespace: str = "ci") -> None:
        self.kept: dict[str, Document] = {}
        self.in_pod, self.namespace, self._secrets = in_pod, namespace, secrets

    def create(self, document: Mapping[str, Any], *, dry_run: bool = False) -> Document:
        name, secret = document["metadata"]["name"], document["kind"] == "Secret"
        request = Request(
            verb="create", resource="secrets" if secret else "imagebuilds", namespace=self.namespace, name=name
        )
        if secret and not self._secrets:
            raise refusal(request, 403, {})
        if f"{document['kind']}/{name}" in self.kept:
            raise refusal(request, 409, {})
        made = {**document, "metadata": {**document["metadata"], "uid": f"uid of {name}"}}
        if not dry_run:
            self.kept[f"{document['kind']}/{name}"] = made
        return made

    def build(self, name: str) -> Document:
        return self.kept[f"ImageBuild/{name}"]

    def ends(self, build: Document, phase: str) -> None:
        self.kept[f"ImageBuild/{build['metadata']['name']}"]["status"] = {"phase": phase}


def job(*, stays: bool = False, **given: Any) -> tuple[Job, io.StringIO]:
    said = io.StringIO()
    facts = gitlab.facts(jobs.GITLAB_BRANCH)
    assert facts is not None
    return Job(facts, POD, {**GIVEN, **given}, Screen(said), stays=stays), said


def create(server: Server, *, stays: bool = False, **given: Any) -> tuple[Document, str]:
    mine, said = job(stays=stays, **given)
    return mine.create(server, DOCUMENT), said.getvalue()  # type: ignore[arg-type]


def test_a_build_and_its_secrets_go_with_the_pod() -> None:
    server = Server()
    made, _ = create(server)
    name = made["metadata"]["name"]
    assert list(server.kept) == [f"ImageBuild/{name}", f"Secret/{name}-git", f"Secret/{name}-registry"]
    assert [each["kind"] for each in made["metadata"]["ownerReferences"]] == ["Pod"]
    for secret in list(server.kept.values())[1:]:
        (owner,) = secret["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("ImageBuild", f"uid of {name}")
    assert jobs.TOKEN not in str(made)


def test_the_same_command_goes_on_with_its_build() -> None:
    server = Server()
    first, _ = create(server)
    again, said = create(server)
    assert again["metadata"]["name"] == first["metadata"]["name"]
    assert "going on with it" in said
    server.ends(first, "Succeeded")
    assert create(server)[0]["metadata"]["name"] == first["metadata"]["name"], "it is there: nothing is built twice"


def test_what_has_failed_is_built_anew() -> None:
    server = Server()
    first, _ = create(server)
    server.ends(first, "Failed")
    second, _ = create(server)
    server.ends(second, "Failed")
    third, _ = create(server)
    name = first["metadata"]["name"]
    assert [second["metadata"]["name"], third["metadata"]["name"]] == [f"{name}-2", f"{name}-3"]
    assert third["spec"]["registrySecrets"] == [{"name": f"{name}-3-registry"}]


def test_secrets_that_an_interrupted_call_has_not_made_are_made() -> None:
    server = Server()
    made, _ = create(server)
    del server.kept[f"Secret/{made['metadata']['name']}-registry"]
    create(server)
    assert len(server.kept) == 3


def test_without_the_right_to_make_secrets_the_token_stays_and_is_said_to() -> None:
    server = Server(secrets=False)
    made, said = create(server)
    assert list(server.kept) == [f"ImageBuild/{made['metadata']['name']}"]
    assert "registrySecrets" not in made["spec"]
    assert "token stays" in said
    assert "imagebuild-job-token" in said
    with pytest.raises(ApiError, match="secrets"):
        create(Server(secrets=False), job_token=True)


def test_a_login_that_the_job_has_obtained_crosses_beside_the_secrets_that_are_named(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"auths": {"ecr.example.com": {"auth": "QVdTOnB3"}}}')
    server = Server()
    mine, _ = job(registry_login=str(file), job_token=False)
    spec = {**DOCUMENT["spec"], "registrySecrets": [{"name": "base-images"}]}
    made = mine.create(server, {**DOCUMENT, "spec": spec})  # type: ignore[arg-type]
    name = made["metadata"]["name"]
    assert made["spec"]["registrySecrets"] == [{"name": "base-images"}, {"name": f"{name}-registry"}]
    config = server.kept[f"Secret/{name}-registry"]["stringData"][".dockerconfigjson"]
    assert config == '{"auths": {"ecr.example.com": {"auth": "QVdTOnB3"}}}'
    with pytest.raises(ApiError, match="secrets"):
        create(Server(secrets=False), registry_login=str(file))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"\xff", "cannot be read", id="no text"),
        pytest.param(None, "cannot be read: No such file", id="gone meanwhile"),
        pytest.param(b'{"auths": []}', "is no docker config.json", id="no logins"),
    ],
)
def test_a_login_that_cannot_be_read_is_said_before_anything_is_made(
    content: bytes | None, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    if content is not None:
        file.write_bytes(content)
    server = Server()
    with pytest.raises(click.BadParameter, match=said):
        create(server, registry_login=str(file))
    assert server.kept == {}


def test_no_job_token_is_no_job_token() -> None:
    server = Server()
    create(server, job_token=False)
    assert len(server.kept) == 1


@pytest.mark.parametrize(
    ("server", "words"),
    [
        pytest.param(Server(namespace="builds"), "does not go with the job", id="the build is in another namespace"),
        pytest.param(Server(in_pod=False), "", id="a kubeconfig may lead to another cluster"),
    ],
)
def test_an_owner_is_named_only_where_it_is(server: Server, words: str) -> None:
    made, said = create(server)
    assert "ownerReferences" not in made["metadata"], "or the build would be collected at once"
    assert words in said


def test_a_build_that_outlives_the_job_has_nothing_of_it() -> None:
    server = Server()
    made, said = create(server, stays=True)
    assert len(server.kept) == 1
    assert "ownerReferences" not in made["metadata"]
    assert "outlives" in said


def test_a_name_that_was_chosen_is_kept_and_taken_once() -> None:
    server = Server()
    assert create(server, name="mine")[0]["metadata"]["name"] == "shop-random", "the document has it already"
    with pytest.raises(ApiError, match="already"):
        create(server, name="mine")


def test_outside_of_a_job_its_token_cannot_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITLAB_CI", "GITHUB_ACTIONS", "IMAGEBUILD_JOB"):
        monkeypatch.delenv(name, raising=False)
    assert Job.here(GIVEN, Screen(io.StringIO()), stays=False) is None
    with pytest.raises(click.UsageError):
        Job.here({**GIVEN, "job_token": True}, Screen(io.StringIO()), stays=False)
    monkeypatch.setenv("IMAGEBUILD_JOB", "argo-1")
    assert Job.here(GIVEN, Screen(io.StringIO()), stays=False) is not None
    assert Job.here({**GIVEN, "ci": False}, Screen(io.StringIO()), stays=False) is None


class Cancelled:
    """A cluster with one build that runs, and an account that may not cancel it."""

    namespace = "ci"

    def __init__(self, owners: list[Document]) -> None:
        self._owners = owners

    def build(self, name: str) -> Document:
        return {"metadata": {"name": name, "resourceVersion": "1", "ownerReferences": self._owners}}

    def watch(self, _name: str, _version: str) -> Iterator[tuple[str, Document]]:
        """The first thing that comes is the signal that ends the job."""
        while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            threading.Event().wait(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait()  # nothing else happens; the thread is a daemon
        yield from ()

    def patch(self, _name: str, _patch: Mapping[str, Any]) -> Document:
        raise refusal(Request(verb="patch", resource="imagebuilds", namespace="ci"), 403, {})


@pytest.mark.parametrize(
    ("owners", "said", "code"),
    [
        pytest.param([POD.reference], "shop ends with the pod runner-1", 130, id="its pod takes the build with it"),
        pytest.param([], "You may not patch", 2, id="without an owner somebody else must cancel it"),
    ],
)
def test_a_job_that_is_ended_and_may_not_cancel_says_what_becomes_of_its_build(
    owners: list[Document], said: str, code: int
) -> None:
    attached = Attached(Cancelled(owners), "shop", Screen(io.StringIO()), None, cancel_on_interrupt=True)  # type: ignore[arg-type]
    with pytest.raises(Problem, match=said) as problem:
        attached.result()
    assert problem.value.exit_code == code
