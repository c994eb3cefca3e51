"""Repositories that not everybody may read, over HTTP and SSH, and what else git can be asked for."""

from __future__ import annotations

import os
import secrets
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.conftest import BASELINE, Repository
from e2e.story import WAITS, Story, publish
from testbed import sshserver
from testbed.gitserver import PASSWORD, USER
from testbed.kubectl import Document, Kubectl
from testbed.sshserver import Keys

pytestmark = pytest.mark.cluster

DISCARD: dict[str, Any] = {"output": {"discard": True}}
FILES = {"Dockerfile": "FROM busybox:1.37\nCOPY message /\nRUN cat /message\n", "message": "hello\n"}


def secret(name: str, **values: str) -> Document:
    """Key names with a '-' are written with '__'."""
    data = {key.replace("__", "-"): value for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def basic_auth(name: str) -> Document:
    return {**secret(name, username=USER, password=PASSWORD), "type": "kubernetes.io/basic-auth"}


def private(git_server: tuple[str, str], directory: Path) -> Repository:
    inside, outside = git_server
    name, place = f"private-{secrets.token_hex(4)}.git", outside.removeprefix("http://")
    return Repository(
        f"{inside}/{name}", f"http://{USER}:{urllib.parse.quote(PASSWORD, safe='')}@{place}/{name}", directory
    )


def test_a_private_repository_waits_for_its_secret_and_is_built(
    story: Story, git_server: tuple[str, str], tmp_path: Path
) -> None:
    repository = private(git_server, tmp_path / "checkout")
    commit = repository.commit(FILES)
    story.apply({"source": {"git": {"url": repository.url, "secretRef": {"name": "git-login"}}}, **DISCARD})
    assert "git-login" in story.reaches(reason="SecretMissing")["message"]
    story.kubectl.apply(basic_auth("git-login"))
    status = story.succeeds()
    assert status["source"] == {"commit": commit, "branch": "main"}
    assert PASSWORD not in story.log() + str(status) + str(story.pods())


def test_without_credentials_the_next_step_names_where_they_go(
    story: Story, git_server: tuple[str, str], tmp_path: Path
) -> None:
    repository = private(git_server, tmp_path / "checkout")
    repository.commit(FILES)
    story.apply({"source": {"git": {"url": repository.url}}, **DISCARD})
    assert "secretRef" in story.fails("SourceUnauthorized")["failure"]["nextStep"]


def test_submodules_and_the_git_directory_are_there_where_they_are_asked_for(
    story: Story, git_server: tuple[str, str], tmp_path: Path
) -> None:
    inner = private(git_server, tmp_path / "inner")
    pinned = inner.commit({"file": "of the submodule"})
    outer = private(git_server, tmp_path / "outer")
    check = "FROM busybox:1.37\nCOPY . /src\nRUN grep submodule /src/deps/inner/file && test -e /src/.git/HEAD\n"
    name = inner.url.rsplit("/", 1)[1]
    outer.commit({"Dockerfile": check, ".gitmodules": f'[submodule "i"]\n\tpath = deps/inner\n\turl = ../{name}\n'})
    outer.link("deps/inner", pinned)
    story.kubectl.apply(basic_auth("git-login"))
    git = {"url": outer.url, "secretRef": {"name": "git-login"}, "submodules": True, "keepGitDir": True}
    story.apply({"source": {"git": git}, **DISCARD})
    story.succeeds()


def test_a_branch_that_moves_while_it_is_built_is_built_as_it_was(story: Story, repository: Repository) -> None:
    first = repository.commit({"Dockerfile": f"{WAITS}COPY message /\nRUN grep first /message\n", "message": "first"})
    story.apply({"source": {"git": {"url": repository.url, "branch": "main"}}, **DISCARD})
    pod = story.reaches(reason="Building")["podName"]
    story.sleeps(pod)
    repository.commit({"message": "second"})
    story.release(pod)
    assert story.succeeds()["source"]["commit"] == first


@pytest.fixture(scope="session")
def ssh_server(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kubectl, Keys]]:
    keys = sshserver.new_keys(tmp_path_factory.mktemp("ssh") / "keys")
    name = f"e2e-ssh-{secrets.token_hex(3)}"
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": BASELINE}})
    here = kubectl.within(name)
    sshserver.start(here, keys)
    yield here, keys
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def over_ssh(ssh_server: tuple[Kubectl, Keys], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A repository's URL, and its only commit."""
    here, keys = ssh_server
    name = f"{secrets.token_hex(4)}.git"
    with here.forward(f"service/{sshserver.NAME}", sshserver.PORT) as port:
        known = tmp_path / "known_hosts"
        known.write_text(keys.known_hosts("127.0.0.1", port))
        options = f"-F /dev/null -o UserKnownHostsFile={known} -o IdentitiesOnly=yes -i {keys.directory / 'client'}"
        monkeypatch.setenv("GIT_SSH_COMMAND", f"{os.environ.get('SSH', 'ssh')} {options}")
        commit = publish(FILES, tmp_path / "checkout", f"ssh://git@127.0.0.1:{port}/{name}")
    return f"ssh://git@ssh.{here.namespace}:{sshserver.PORT}/{name}", commit


def test_over_ssh_a_key_and_a_pinned_host_key_are_enough(
    story: Story, ssh_server: tuple[Kubectl, Keys], over_ssh: tuple[str, str]
) -> None:
    (here, keys), (url, commit) = ssh_server, over_ssh
    known = keys.known_hosts(f"ssh.{here.namespace}")
    given = secret("deploy-key", ssh__privatekey=keys.text("client"), known_hosts=known)
    story.kubectl.apply({**given, "type": "kubernetes.io/ssh-auth"})
    story.apply({"source": {"git": {"url": url, "secretRef": {"name": "deploy-key"}}}, **DISCARD})
    assert story.succeeds()["source"]["commit"] == commit


@pytest.mark.parametrize(
    ("key", "host_key", "reason"),
    [
        pytest.param("client", "", "SecretInvalid", id="no host key is trusted at first sight"),
        pytest.param("client", "other.pub", "HostKeyUnknown", id="another host key ends the build"),
        pytest.param("other", "host.pub", "SourceUnauthorized", id="a key that the server does not know"),
    ],
)
def test_over_ssh_nothing_is_taken_on_trust(
    story: Story, ssh_server: tuple[Kubectl, Keys], over_ssh: tuple[str, str], *, key: str, host_key: str, reason: str
) -> None:
    (here, keys), (url, _) = ssh_server, over_ssh
    known = {"known_hosts": f"[ssh.{here.namespace}]:{sshserver.PORT} {keys.text(host_key)}"} if host_key else {}
    story.kubectl.apply(secret("deploy-key", ssh__privatekey=keys.text(key), **known))
    story.apply({"source": {"git": {"url": url, "secretRef": {"name": "deploy-key"}}}, **DISCARD})
    assert len(story.fails(reason)["message"]) > 20
