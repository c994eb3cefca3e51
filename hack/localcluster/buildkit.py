"""A BuildKit daemon on this machine for the time of a build, as root. images.py uses it beside an engine of ours."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from localcluster import gobuild, work
from localcluster.engine import CGROUP
from localcluster.leftovers import processes, terminate, unmount
from localcluster.pins import Pins
from localcluster.places import OPEN, Places
from localcluster.work import attempt, run, wait_for


@dataclass(frozen=True)
class Client:
    buildctl: Path
    address: str

    def build(self, dockerfile: Path, context: Path, args: Mapping[str, str], name: str) -> None:
        run(
            *(self.buildctl, "--addr", self.address, "build", "--progress", "plain", "--frontend", "dockerfile.v0"),
            *("--local", f"context={context}", "--local", f"dockerfile={dockerfile.parent}"),
            *(word for key, value in args.items() for word in ("--opt", f"build-arg:{key}={value}")),
            *("--output", f"type=image,name={name},push=true,compression=zstd,oci-mediatypes=true"),
            timeout=1200,
        )


@contextlib.contextmanager
def daemon(pins: Pins, where: Places, mirror: str) -> Iterator[Client]:
    programs = gobuild.binaries(pins, where.cache, "buildkitd", "buildctl", "runc")
    directory, root = where.state / "buildkit", where.cache / "buildkit"
    directory.mkdir(exist_ok=True)
    terminate(processes(("buildkitd",), directory), 10)  # left by a command that was killed
    unmount(root)
    (directory / "buildkitd.toml").write_text(configuration(mirror))
    address, log = f"unix://{directory / 'buildkitd.sock'}", directory / "log"
    pid = work.daemon(
        *(programs["buildkitd"], "--config", directory / "buildkitd.toml", "--root", root),
        *("--addr", address, "--oci-worker-binary", programs["runc"], "--containerd-worker=false"),
        log=log,
    )
    try:
        ready = (programs["buildctl"], "--addr", address, "debug", "workers")
        wait_for("buildkitd", 30, lambda: attempt(*ready, timeout=10).returncode == 0, f"see {log}")
        yield Client(programs["buildctl"], address)
    finally:
        _end(pid)


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 10
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return
        time.sleep(0.05)


def configuration(mirror: str) -> str:
    """The open registry speaks HTTP; docker.io is our mirror where there is no other."""
    docker_io = f'[registry."docker.io"]\n  mirrors = ["{mirror}"]\n' if mirror else ""
    return f"""\
[worker.oci]
  enabled = true
  snapshotter = "overlayfs"
  defaultCgroupParent = "{CGROUP}"
[registry."{OPEN}"]
  http = true
{docker_io}"""
