"""buildkitd under rootlesskit: started, watched until it answers, ended."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from imagebuild.contract.plan import Registry
from imagebuild.contract.reasons import Reason
from imagebuild.runner import frontend, log, process
from imagebuild.runner.clientcerts import files
from imagebuild.runner.problem import Problem
from imagebuild.runner.tracing import Trace

if TYPE_CHECKING:
    import socket

__all__ = ["Daemon", "cause", "configuration"]

_START_SECONDS = 60.0
_END_SECONDS = 5.0
_FLUSH_SECONDS = 2.0
"""For the rest of its trace."""
_BOUNDS = """\
[[worker.oci.gcpolicy]]
  all = true
  reservedSpace = "10%"
  maxUsedSpace = "80%"
  minFreeSpace = "10%"
"""
"""Of a state that is kept, in parts of its volume; what was not used for longest goes first. BuildKit's own rules would
leave 512 MB to cache mounts."""
_STEP_LOGS = {"BUILDKIT_STEP_LOG_MAX_SIZE": str(16 << 20), "BUILDKIT_STEP_LOG_MAX_SPEED": "-1"}
"""In bytes, and bytes per second: none. BuildKit's own 2 MiB and 200 KiB/s cut the end of what a verbose test prints,
where the failure is. A bound there must be: what steps print is on the node's disk, too."""
_LOOK_EVERY_SECONDS = 0.02
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000 04 00 00000000")
"""How a gRPC client opens a connection: the preface of HTTP/2 and an empty SETTINGS frame. A server answers at once."""
_TAIL_LINES = 40
_FULL = "no space left on device"
_FULL_BYTES = 64 * 1024
"""A disk with less than this left may have had no room for the log line either."""

_NO_USER_NAMESPACES = "the node allows no user namespaces: set the sysctl user.max_user_namespaces"
_SUB_IDS = "the sub-ids in /etc/sub{0}id do not fit the pod's user namespace, or new{0}idmap lacks its capability"
_NO_NEW_PRIVILEGES = "newuidmap gains no capability: something sets allowPrivilegeEscalation: false"
_CAUSES = (
    ("max_user_namespaces needs to be set", _NO_USER_NAMESPACES),
    (
        "unprivileged_userns_clone needs to be set",
        "the node allows no user namespaces: set the sysctl kernel.unprivileged_userns_clone",
    ),
    ("fork/exec /proc/self/exe: no space left on device", _NO_USER_NAMESPACES),
    ("write to uid_map failed", _SUB_IDS.format("u")),
    ("write to gid_map failed", _SUB_IDS.format("g")),
    ("No subuid ranges found", "/etc/subuid has no sub-ids for the user of the build pod"),
    ("Could not set caps", _NO_NEW_PRIVILEGES),
    (
        "fork/exec /proc/self/exe: permission denied",
        "AppArmor forbids user namespaces: set kernel.apparmor_restrict_unprivileged_userns=0 or apparmorProfile",
    ),
    (
        "fork/exec /proc/self/exe: operation not permitted",
        "the seccomp profile forbids user namespaces: use the one of this release",
    ),
    (
        "failed to share mount point: /",
        "mounts are forbidden: allowPrivilegeEscalation: false, seccomp or AppArmor (apparmorProfile)",
    ),
    ("no cgroup mount found", "/sys/fs/cgroup is not mounted in the container"),
    ("failed to mount overlay", "the work volume cannot hold overlayfs"),
    ("does not support d_type", "the work volume cannot hold overlayfs: xfs needs ftype=1"),
)


def cause(log: str, status: str = "") -> str:
    """What on the node keeps the daemon from starting, in words and with the fix, as far as its log tells.

    `status`: /proc/self/status. A map that newuidmap may not write and one that it has no right to look the same.
    """
    if "_map failed" in log and re.search(r"^NoNewPrivs:\s*1$", status, re.MULTILINE):
        return _NO_NEW_PRIVILEGES
    return next((told for sign, told in _CAUSES if sign in log), "")


def configuration(registries: Iterable[Registry], frontends: tuple[str, ...] | None = None) -> str:
    """buildkitd.toml. JSON strings and lists are TOML's too."""
    import json  # noqa: PLC0415

    lines = []
    for registry in registries:
        lines.append(f"[registry.{json.dumps(registry.host)}]")
        lines += [f"  {key} = true" for key in ("http", "insecure") if getattr(registry, key)]
        if registry.mirrors:
            lines.append(f"  mirrors = {json.dumps(registry.mirrors)}")
        if registry.client_certificate is not None:
            certificate, key = map(json.dumps, files(registry.client_certificate))
            lines.append(f"  keypair = [{{cert = {certificate}, key = {key}}}]")
    lines += frontend.configuration(frontends)
    return "\n".join(lines) + "\n"


class Daemon:
    """A context manager: started on entry, ended on exit."""

    def __init__(
        self,
        work: Path,
        env: Mapping[str, str],
        registries: Iterable[Registry],
        *,
        frontends: tuple[str, ...] | None = None,
        sandbox: bool,
        processes: int | None = None,
        state: Path | None = None,
        trace: Trace | None = None,
        patience: float = _START_SECONDS,
    ) -> None:
        """`state`: where it keeps what it has for later builds. None: in the pod, with which it goes."""
        self._work, self._env = work, env
        self.state, self._keeps = state or work / "buildkit", state is not None
        self._socket = work / "run" / "buildkitd.sock"
        self._log = work / "report" / "buildkitd.log"
        self._config = work / "buildkitd.toml"
        self._config.write_text(configuration(registries, frontends) + (_BOUNDS if self._keeps else ""))
        self._sandbox, self._patience, self._processes = sandbox, patience, processes
        self._trace = trace or Trace()
        self._client: socket.socket | None = None
        self.seconds = 0.0

    @property
    def address(self) -> str:
        return f"unix://{self._socket}"

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        with self._log.open("wb") as log:
            env = {**self._env, **_STEP_LOGS}
            self._process = process.start(self._argv(), env, output=log, processes=self._processes)
        return self

    def __exit__(self, *_: object) -> None:
        # no time to lose where its state goes with the pod: a daemon asked to end waits for what still runs
        flushes = _FLUSH_SECONDS if self._trace.reached else 0.0
        process.end(self._process, patience=_END_SECONDS if self._keeps else flushes)
        self._hang_up()

    def _argv(self) -> list[str]:
        return [
            "rootlesskit",
            f"--state-dir={self._work / 'run' / 'rootlesskit'}",
            "buildkitd",
            f"--config={self._config}",
            f"--root={self.state}",
            f"--addr={self.address}",
            # where overlayfs does not work "auto" would fall back to copying everything, ten times slower
            "--oci-worker-snapshotter=overlayfs",
            f"--oci-worker-gc={'true' if self._keeps else 'false'}",
            *([] if self._sandbox else ["--oci-worker-no-process-sandbox"]),
        ]

    def wait(self, check: Callable[[], None]) -> None:
        """Until it answers: it listens long before its worker is ready. Raises Problem, also what `check` raises."""
        while not self.seconds:
            check()
            self.check()
            self._pause()

    def check(self) -> None:
        """Raises Problem if it has died, or does not start."""
        code = self._process.poll()
        if self.seconds:
            if code is not None:
                self._print_log()
                raise Problem(Reason.DAEMON_DIED, f"buildkitd ended with exit code {code} in the middle of the build")
        elif self._answers():
            self.seconds = time.monotonic() - self._began
            self._trace.record("start buildkitd", time.time() - self.seconds, time.time())
        elif code is not None:
            raise self._not_started(f"buildkitd ended with exit code {code}")
        elif time.monotonic() > self._began + self._patience:
            raise self._not_started(f"buildkitd did not answer within {self._patience:.0f} s")

    def _pause(self) -> None:
        """Over as soon as it says its first word."""
        if self._client is not None:
            import select  # noqa: PLC0415 as below

            select.select([self._client], [], [], _LOOK_EVERY_SECONDS)
        elif not self.seconds:
            time.sleep(_LOOK_EVERY_SECONDS)

    def _answers(self) -> bool:
        """One connection, kept until the server says its first word."""
        if self._client is None:
            import socket  # noqa: PLC0415 the daemon starts meanwhile

            client = socket.socket(socket.AF_UNIX)
            if client.connect_ex(os.fsencode(self._socket)) != 0:
                client.close()
                return False
            client.setblocking(False)
            self._client = client
            with contextlib.suppress(OSError):
                client.sendall(_HELLO)
        try:
            answered = bool(self._client.recv(1))
        except BlockingIOError:
            return False
        except ConnectionError:
            answered = False
        self._hang_up()
        return answered

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None

    def _not_started(self, what: str) -> Problem:
        said = self._print_log()
        import shutil  # noqa: PLC0415 takes its time, and is for a daemon that does not start

        found = cause(said, Path("/proc/self/status").read_text())
        if not found and (_FULL in said or shutil.disk_usage(self._work).free < _FULL_BYTES):
            return Problem(Reason.DISK_FULL, f"no room for buildkitd to start in {self._work}")
        return Problem(Reason.DAEMON_NOT_STARTED, found or f"{what}: {_last_words(said)}")

    def _print_log(self) -> str:
        said = self._log.read_text(errors="replace")
        process.say("the last lines of buildkitd's log:")
        for line in said.splitlines()[-_TAIL_LINES:]:
            log.write(f"  {line}")
        return said


def _last_words(log: str) -> str:
    """buildkitd prints where in its code it was after what was wrong, and rootlesskit that it has ended."""
    lines = [line.strip() for line in reversed(log.splitlines()) if line.strip()]
    return next((line for line in lines if line.startswith("buildkitd: ")), next(iter(lines), "it wrote nothing"))
