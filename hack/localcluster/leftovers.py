"""What a killed command leaves on Linux: processes, mounts, half-made directories. engine.py and cli.py clear it.

A process is only touched when its command line names one of our directories.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

from localcluster.work import attempt

PROC = Path("/proc")


def processes(programs: tuple[str, ...], directory: Path) -> list[int]:
    """Of these programs (by the start of their name), the ones with a word of their command line below `directory`."""
    entries = PROC.iterdir() if PROC.exists() else ()
    numbers = (int(entry.name) for entry in entries if entry.name.isdigit())
    return [pid for pid in numbers if matches(_command_line(pid), programs, str(directory))]


def matches(words: list[str], programs: tuple[str, ...], directory: str) -> bool:
    return bool(words) and Path(words[0]).name.startswith(programs) and any(directory in word for word in words)


def _command_line(pid: int) -> list[str]:
    with suppress(OSError):
        return (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    return []


def alive(pid: int) -> bool:
    with suppress(OSError):
        stat = (PROC / str(pid) / "stat").read_text()
        return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}
    return False


def terminate(pids: list[int], patience: float) -> None:
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(alive(pid) for pid in pids):
            time.sleep(0.05)


def unmount(*roots: Path) -> None:
    """Deepest first. Lazily: a process of ours that is just ending may still hold one."""
    mounts = PROC / "mounts"
    points = [line.split()[1] for line in mounts.read_text().splitlines()] if mounts.exists() else []
    for point in sorted(points, reverse=True):
        if any(Path(point).is_relative_to(root) for root in roots):
            attempt("umount", "--lazy", point)


def half_made(cache: Path) -> None:
    """What is made in the cache is made under a name that begins with a dot, and renamed when it is whole.

    debootstrap and containerd mount things in there; removing is safe only when nothing is mounted any more.
    """
    scratch = [*cache.glob(".node-*"), *cache.glob("*/.new-*")]
    unmount(*scratch)
    for directory in scratch:
        if not any(os.path.ismount(parent) for parent, _, _ in os.walk(directory)):
            shutil.rmtree(directory, ignore_errors=True)
