"""The BuildKit daemon that a release is built by: a given one, one of our own as root, or one in a container."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from localcluster import buildkit, engine, gobuild
from localcluster.buildkit import Client
from localcluster.engine import Engine
from localcluster.pins import Pins
from localcluster.places import NETWORK, Places
from localcluster.work import Failure, attempt, wait_for

CONTAINER = "imagebuild-release"
SOCKET = "unix:///run/buildkit/buildkitd.sock"
WAYS_OUT = "start Docker so that `docker info` answers, run this as root on Linux, or name one: --buildkit tcp://…"


@contextlib.contextmanager
def daemon(pins: Pins, where: Places, address: str, mirror: str) -> Iterator[Client]:
    where.state.mkdir(parents=True, exist_ok=True)
    if address:
        yield Client(gobuild.binary(pins, where.cache, "buildctl"), address)
        return
    docker = engine.running(where)
    if engine.may_administer() and (docker is None or docker.ours):
        with buildkit.daemon(pins, where, mirror) as client:
            yield client
    elif docker is not None:
        with _in_container(pins, where, docker, mirror) as client:
            yield client
    else:
        raise Failure("starting BuildKit", "there is no Docker engine, and this user cannot do without", WAYS_OUT, 2)


@contextlib.contextmanager
def _in_container(pins: Pins, where: Places, docker: Engine, mirror: str) -> Iterator[Client]:
    """Beside somebody else's engine, whose own builder cannot set times. In the cluster's network, if there is one."""
    config = where.state / "release.toml"
    config.write_text(buildkit.configuration(mirror).replace(f'  defaultCgroupParent = "{engine.CGROUP}"\n', ""))
    image = f"{pins.images['buildkit']}@{pins.digests['buildkit']}"
    network = ["--network", NETWORK] if docker.succeeds("network", "inspect", NETWORK) else []
    docker.succeeds("rm", "--force", "--volumes", CONTAINER)
    docker.docker(*_run(config), *network, image, *_daemon(), timeout=600)
    try:
        client = Client(gobuild.binary(pins, where.cache, "buildctl"), f"docker-container://{CONTAINER}")
        os.environ.update(docker.env)  # buildctl calls docker
        words = (client.buildctl, "--addr", client.address, "debug", "workers")
        wait_for("buildkitd", 60, lambda: attempt(*words, timeout=10).returncode == 0, f"docker logs {CONTAINER}")
        yield client
    finally:
        docker.succeeds("rm", "--force", "--volumes", CONTAINER)


def _run(config: Path) -> tuple[str, ...]:
    return (
        *("run", "--detach", "--name", CONTAINER, "--privileged", "--user", "0:0", "--entrypoint", "buildkitd"),
        *("--env", f"BUILDKIT_HOST={SOCKET}", "--volume", f"{config}:/etc/buildkit/buildkitd.toml:ro"),
        *("--volume", "/var/lib/buildkit", "--tmpfs", "/tmp"),
    )


def _daemon() -> tuple[str, ...]:
    """The image is the rootless one, because it is the one that is pinned; as root it needs no more than these."""
    return ("--config", "/etc/buildkit/buildkitd.toml", "--addr", SOCKET, "--root", "/var/lib/buildkit")
