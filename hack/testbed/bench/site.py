"""What builds need around them: namespaces, a git server with repositories, and eyes on what happens."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from localcluster import pins
from testbed import gitserver
from testbed.bench.apps import Files
from testbed.bench.measure import Bed
from testbed.bench.moments import Moments, watching
from testbed.kubectl import Kubectl
from testbed.node import Node
from testbed.server import ready

MODES = ("Rootless", "UsernsMasked", "Userns")
PEERS = "peers"
_LEVEL = "pod-security.kubernetes.io/enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    name: str
    """Of this run: part of the names of namespaces, repositories and images."""
    kubectl: Kubectl
    moments: Moments
    base: str
    """What the Dockerfiles start from; every side reaches it by this name."""
    directory: Path
    git_url: str
    push_url: str

    def within(self, suffix: str) -> Kubectl:
        return self.kubectl.within(f"{self.name}-{suffix}")

    def image(self, *words: str) -> str:
        """A repository of the open registry that no other build has."""
        return f"{self.kubectl.place.registry}/bench/{self.name}/{'-'.join(words)}"

    def repository(self, name: str) -> Repository:
        return Repository(
            url=f"{self.git_url}/{name}.git", push_url=f"{self.push_url}/{name}.git", directory=self.directory / name
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    url: str
    """As pods reach it."""
    push_url: str
    directory: Path

    def commit(self, files: Files, branch: str = "main") -> None:
        git = partial(_git, self.directory)
        if not self.directory.exists():
            self.directory.mkdir(parents=True)
            git("init", "--quiet", "--initial-branch=main")
        else:
            git("checkout", "--quiet", "-B", branch)
        for name, content in files.items():
            (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
            (self.directory / name).write_text(content)
        git("add", "--all")
        git("commit", "--quiet", "--message=change")
        # one request without chunks, which the little server understands
        git("-c", "http.postBuffer=500000000", "push", "--quiet", self.push_url, branch)


def _git(directory: Path, *words: str) -> None:
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "gc.auto=0")
    subprocess.run(["git", *who, *words], cwd=directory, check=True, capture_output=True, timeout=120)


@contextmanager
def site(bed: Bed) -> Iterator[Site]:
    """Gone afterwards; what was pushed stays in the registry."""
    name, kubectl, here = f"bench-{secrets.token_hex(2)}", bed.kubectl, bed.kubectl.place
    levels = {**{mode.lower(): "baseline" for mode in MODES}, "git": "baseline", PEERS: "privileged"}
    directory = bed.directory / name
    with contextlib.ExitStack() as stack:
        Node(kubectl).keep_pods_apart()  # no build is to pay for what another one has left
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        for suffix, level in levels.items():
            namespace = {"name": f"{name}-{suffix}", "labels": {_LEVEL: level}}
            kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": namespace})
            stack.callback(kubectl, "delete", "namespace", f"{name}-{suffix}", "--wait=false")
        git = kubectl.within(f"{name}-git")
        git.apply(*gitserver.manifests(here.builder_image))
        ready(git, gitserver.NAME)
        port = stack.enter_context(git.forward(f"service/{gitserver.NAME}", gitserver.PORT))
        yield Site(
            name=name,
            kubectl=kubectl,
            moments=stack.enter_context(watching(kubectl)),
            base=_base(here.mirror),
            directory=directory,
            git_url=f"http://{gitserver.NAME}.{name}-git:{gitserver.PORT}",
            push_url=f"http://127.0.0.1:{port}",
        )


def _base(mirror: str) -> str:
    """By the mirror's own name where there is one: not every side knows what a mirror below a path is."""
    name = pins.load().images["busybox"]
    return name.replace("docker.io", mirror, 1) if mirror else name
