"""A cluster with the operator in it, and a namespace of its own for each test. Runs on any cluster: see testbed.place."""

from __future__ import annotations

import fcntl
import re
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.story import Story, link, publish
from testbed import faults, gitserver
from testbed.deploy import deploy
from testbed.kubectl import Kubectl
from testbed.place import Place
from testbed.place import place as find_place
from testbed.server import ready

BASELINE = {"pod-security.kubernetes.io/enforce": "baseline"}


@pytest.fixture(autouse=True)
def grouped(request: pytest.FixtureRequest, worker_id: str) -> None:
    """Tests of one group disturb each other: pytest-xdist 3.8 beside pytest 9.2 spreads them without a word."""
    alone = worker_id == "master" or request.node.get_closest_marker("xdist_group") is None
    assert alone or "@" in request.node.nodeid, "use --dist=loadgroup, with a pytest-xdist that minds it"


@pytest.fixture(scope="session")
def place() -> Place:
    return find_place()


@pytest.fixture(scope="session")
def kubectl(place: Place) -> Kubectl:
    return Kubectl(place)


@pytest.fixture(scope="session")
def operator(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> None:
    """The operator as this checkout has it. The first worker deploys it, for all of them and for the whole session."""
    mine = tmp_path_factory.getbasetemp()
    shared = mine if worker_id == "master" else mine.parent
    done = shared / "deployed"
    with (shared / "deploy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            deploy(kubectl, shared / "overlay")
            done.touch()


@pytest.fixture
def new_namespace(kubectl: Kubectl, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Kubectl]]:
    """Namespaces at Pod Security level baseline, gone after the test."""
    made: list[str] = []

    def make(suffix: str = "") -> Kubectl:
        base = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[5:35].strip("-")
        name = f"e2e-{base}-{secrets.token_hex(2)}{suffix}"
        kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": BASELINE}})
        made.append(name)
        return kubectl.within(name)

    yield make
    for name in made:
        kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def story(operator: None, new_namespace: Callable[[str], Kubectl], request: pytest.FixtureRequest) -> Story:
    """A namespace to build in; `@pytest.mark.parametrize("suffix", …)` chooses its isolation mode."""
    suffix = request.node.callspec.params.get("suffix", "") if hasattr(request.node, "callspec") else ""
    return Story(new_namespace(suffix))


@pytest.fixture(scope="session")
def proxy(kubectl: Kubectl) -> Iterator[None]:
    """testbed.faults, in the one namespace that the operator's configuration names: for tests of the group "faults"."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": faults.NAMESPACE, "labels": BASELINE}}
    kubectl.apply(namespace)
    here = kubectl.within(faults.NAMESPACE)
    here.apply(*faults.manifests(kubectl.place.builder_image, kubectl.place.registry))
    ready(here, faults.NAME)
    yield
    kubectl("delete", "namespace", faults.NAMESPACE, timeout=120)


class Repository:
    """A git repository that build pods reach at `url`."""

    def __init__(self, url: str, push_url: str, directory: Path) -> None:
        self.url, self._push_url, self._directory = url, push_url, directory

    def commit(self, files: dict[str, str], branch: str = "main") -> str:
        return publish(files, self._directory, self._push_url, branch=branch)

    def time(self, commit: str) -> int:
        """When it was made, in seconds since 1970."""
        words = ["git", "show", "-s", "--format=%ct", commit]
        return int(subprocess.run(words, cwd=self._directory, check=True, capture_output=True, timeout=60).stdout)

    def link(self, path: str, commit: str) -> None:
        """A submodule: a commit of another repository at this path."""
        link(self._directory, self._push_url, path, commit)


@pytest.fixture(scope="session")
def git_server(kubectl: Kubectl) -> Iterator[tuple[str, str]]:
    """Base URLs of a git server, as pods and as this host reach it; one serves a whole session."""
    name = f"e2e-git-{secrets.token_hex(3)}"
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": BASELINE}})
    here = kubectl.within(name)
    here.apply(*gitserver.manifests(kubectl.place.builder_image))
    ready(here, gitserver.NAME)
    with here.forward("service/git", gitserver.PORT) as port:
        yield f"http://git.{name}:{gitserver.PORT}", f"http://127.0.0.1:{port}"
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def repository(git_server: tuple[str, str], tmp_path: Path) -> Repository:
    inside, outside = git_server
    name = f"{secrets.token_hex(4)}.git"
    return Repository(f"{inside}/{name}", f"{outside}/{name}", tmp_path / "checkout")
