"""Programs the runner starts: their environment, their signals, their end."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

from imagebuild.contract import layout
from imagebuild.runner import log

__all__ = ["end", "environment", "reap_orphans", "say", "start"]

_KILL_AFTER_SECONDS = 5.0
_OURS_WAITS_SECONDS = 0.1
_started: list[subprocess.Popen[bytes]] = []
_starting = threading.Lock()
"""Held from a program's start until it is in the list: whoever else waited for it would take its exit code away."""


def say(message: str) -> None:
    """A line of the pod's log that comes from the runner and not from BuildKit."""
    log.write(layout.OURS + message)


def environment(work: Path, **more: str) -> dict[str, str]:
    """What every program gets: nothing of the pod's own environment but the search path."""
    inside = {key: value.replace(layout.WORK_DIR, str(work), 1) for key, value in layout.WORK_ENV.items()}
    return {"PATH": os.environ.get("PATH", os.defpath), **inside, **more}


def start(
    argv: list[str],
    env: Mapping[str, str],
    *,
    output: int | IO[bytes] = subprocess.PIPE,
    errors: int = subprocess.STDOUT,
    stdin: int = subprocess.DEVNULL,
    cwd: Path | None = None,
    processes: int | None = None,
) -> subprocess.Popen[bytes]:
    """In a process group of its own, unless told otherwise output and errors together. Raises OSError where there is no
    such program. `processes`: that may be in a user namespace which it makes, whoever they belong to there."""
    with _starting:
        started = subprocess.Popen(
            argv,
            env=dict(env),
            cwd=cwd,
            stdin=stdin,
            stdout=output,
            stderr=errors,
            start_new_session=True,
            preexec_fn=partial(_made_its_own, _at_most(processes)),  # noqa: PLW1509 system calls, and nothing else
        )
        _started.append(started)
    return started


def _at_most(processes: int | None) -> int | None:
    _, most = resource.getrlimit(resource.RLIMIT_NPROC)
    return processes if processes is None or most == resource.RLIM_INFINITY else min(processes, most)


def _made_its_own(processes: int | None) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # our blocked TERM must not be inherited
    if processes is not None:
        # the kernel keeps it for all of a user namespace made under it, and lets nobody inside raise it
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))


def end(process: subprocess.Popen[Any], patience: float = _KILL_AFTER_SECONDS) -> None:
    """TERM to the process, and KILL to its whole group if it stays."""
    deadline = time.monotonic() + patience
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def reap_orphans() -> None:
    """For the first process of a pod, in a thread: what RUN steps leave behind becomes its children, and would stay in
    the process table of the pod, which is limited, until the build is over.
    """
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            ended = None
        if ended is None or not _reap(ended.si_pid):
            time.sleep(_OURS_WAITS_SECONDS)


def _reap(pid: int) -> bool:
    """Not what we have started ourselves: whoever did waits for it."""
    with _starting:
        if any(started.pid == pid and started.returncode is None for started in _started):
            return False
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        return True
