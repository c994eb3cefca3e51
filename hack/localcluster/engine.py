"""A Docker engine: the one that answers, else one of our own on Linux as root. cli.py starts and stops it.

Ours keeps to itself: own socket, data, pid file, control group and bridge, and takes back what it changed.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from localcluster import debian, firewall
from localcluster.leftovers import alive, processes, terminate, unmount
from localcluster.pins import Pins
from localcluster.places import Places
from localcluster.work import Failure, attempt, daemon, run, say, step, wait_for

CGROUP = "/imagebuild"
BEFORE = "before-engine.json"
SYS_RESOURCE = 24  # the bit in CapEff
WRAPPER = Path(__file__).with_name("runc-without-sys-resource")
WAYS_OUT = "start Docker (Desktop) so that `docker info` answers, or run this as root on Debian or Ubuntu"


@dataclass(frozen=True)
class Engine:
    ours: bool
    env: dict[str, str] = field(default_factory=dict)

    def docker(self, *arguments: str | Path, stdin: str | bytes | None = None, timeout: float = 120) -> str:
        return run("docker", *arguments, stdin=stdin, env=self.env, timeout=timeout)

    def succeeds(self, *arguments: str, timeout: float = 60) -> bool:
        return attempt("docker", *arguments, env=self.env, timeout=timeout).returncode == 0

    @property
    def description(self) -> str:
        version = self.docker("version", "--format", "{{.Server.Version}}").strip()
        return f"Docker {version}" + (f", ours, at {self.env['DOCKER_HOST']}" if self.ours else "")


def running(places: Places) -> Engine | None:
    """The engine in use, without starting one."""
    engines = [Engine(True, {"DOCKER_HOST": f"unix://{_socket(places)}"})] if _socket(places).exists() else []
    for engine in [*engines, Engine(False)]:
        if engine.succeeds("info", timeout=20):
            return engine
    return None


def ensure(pins: Pins, places: Places) -> Engine:
    found = running(places)
    if found:
        say(f"engine: {found.description}")
        return found
    if not may_administer():
        raise Failure("no Docker engine", "`docker info` does not answer, and this user cannot start one", WAYS_OUT, 2)
    debian.install(*(package for package in pins.packages("engine") if not _provided(package)))
    stop(places)
    with step("starting a Docker engine of our own"):
        firewall.remember(places.state / BEFORE)
        _start(places)
    engine = running(places)
    if engine is None:
        raise Failure("starting a Docker engine", "it went away again", f"see {places.state / 'docker.log'}")
    say(f"engine: {engine.description}")
    return engine


def may_administer() -> bool:
    """May we install packages, mount things, start daemons?"""
    return sys.platform == "linux" and os.geteuid() == 0


def _provided(package: str) -> bool:
    return bool(shutil.which({"docker.io": "dockerd"}.get(package, package)))


def _start(places: Places) -> None:
    state, data = places.state, places.cache / "docker"
    data.mkdir(parents=True, exist_ok=True)
    log = state / "docker.log"
    runtime = [] if has_sys_resource(Path("/proc/self/status").read_text()) else _runtime(state)
    pid = daemon(
        *("dockerd", "--host", f"unix://{_socket(places)}", "--data-root", data, "--exec-root", state / "exec"),
        *("--pidfile", state / "docker.pid", "--bridge=none", "--log-level=warn"),
        *("--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", CGROUP, *runtime),
        log=log,
    )

    def ready() -> bool:
        if not alive(pid):
            tail = "\n    ".join(log.read_text(errors="replace").splitlines()[-8:])
            raise Failure("starting a Docker engine", f"dockerd ended:\n    {tail}", f"see {log}; {WAYS_OUT}")
        return attempt("docker", "info", env={"DOCKER_HOST": f"unix://{_socket(places)}"}, timeout=20).returncode == 0

    wait_for("dockerd", 60, ready, f"see {log}")


def _runtime(state: Path) -> list[str]:
    # A copy: dockerd keeps the path for as long as the containers live, and the work tree may move.
    wrapper = state / "runc"
    shutil.copy(WRAPPER, wrapper)
    wrapper.chmod(0o755)
    return ["--add-runtime", f"limited={wrapper}", "--default-runtime", "limited"]


def has_sys_resource(status: str) -> bool:
    """Does this root have CAP_SYS_RESOURCE? Of /proc/self/status. In some virtual machines it has not."""
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> SYS_RESOURCE & 1)


def stop(places: Places) -> None:
    """End the engine of ours, or what a crash left of one: processes, mounts, control groups, firewall rules."""
    if sys.platform != "linux":
        return
    terminate(processes(("dockerd", "buildkitd"), places.state), 30)
    terminate(processes(("containerd", "docker-proxy"), places.state), 5)
    terminate(_in_cgroup(), 2)
    unmount(places.state, places.cache / "docker", places.cache / "buildkit")
    (places.state / "docker.pid").unlink(missing_ok=True)
    _remove_cgroups()
    _socket(places).unlink(missing_ok=True)
    firewall.restore(places.state / BEFORE)


def _cgroups() -> list[Path]:
    """Our control group in every hierarchy there is (one, with cgroup v2)."""
    base = Path("/sys/fs/cgroup")
    tops = [base, *(entry for entry in base.iterdir() if entry.is_dir())] if base.exists() else []
    return [top / CGROUP.strip("/") for top in tops if (top / CGROUP.strip("/")).is_dir()]


def _in_cgroup() -> list[int]:
    found: set[int] = set()
    for group in _cgroups():
        for file in group.rglob("cgroup.procs"):
            with suppress(OSError):
                found.update(int(line) for line in file.read_text().split())
    return sorted(found)


def _remove_cgroups() -> None:
    for group in _cgroups():
        for directory in sorted((d for d in group.rglob("*") if d.is_dir()), reverse=True):
            with suppress(OSError):
                directory.rmdir()
        with suppress(OSError):
            group.rmdir()


def _socket(places: Places) -> Path:
    return places.state / "docker.sock"
