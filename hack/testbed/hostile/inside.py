"""Attempts on the other processes of the pod, on their files, and on the node's kernel."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

from testbed.hostile.outcome import Found

PROC, MEET = Path("/proc"), Path("/meet")
PTRACE_SEIZE, PTRACE_DETACH, CLONE_NEWUSER = 0x4206, 17, 0x10000000
PATIENCE = 60.0


def others() -> list[Path]:
    """Processes that are not of this step: those in another mount namespace, and those that do not show theirs."""
    found = []
    for process in PROC.glob("[0-9]*"):
        try:
            if _namespace(process) != _namespace(PROC / "self"):
                found.append(process)
        except FileNotFoundError:
            continue
        except OSError:
            found.append(process)
    return found


def _namespace(process: Path) -> Path:
    return (process / "ns" / "mnt").readlink()


def roots() -> list[Path]:
    return [Path("/"), *(process / name for process in others() for name in ("root", "cwd"))]


def files(*paths: str) -> Callable[[], None]:
    """In this step's own root, and through all processes there are. A directory counts where it has something in it."""

    def look() -> None:
        for place in (root / path for root in roots() for path in paths):
            with contextlib.suppress(OSError):
                if place.is_dir():
                    if names := [file.name for file in place.iterdir()]:
                        raise Found(f"{place}: {names}")
                elif content := place.read_bytes():
                    raise Found(f"{place}: {len(content)} bytes")

    return look


def of_others(name: str) -> Callable[[], None]:
    def look() -> None:
        for process in others():
            with contextlib.suppress(OSError):
                if content := (process / name).read_bytes()[:400]:
                    raise Found(f"{process / name}: {content!r}")

    return look


def command_lines() -> None:
    """All of them: whoever reads the log looks for secrets there."""
    found = []
    for process in others():
        with contextlib.suppress(OSError):
            found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    if any(found):
        raise Found(" | ".join(filter(None, found)))


def memory() -> None:
    for process in others():
        with contextlib.suppress(OSError):
            (process / "mem").open("rb").close()
            raise Found(f"{process / 'mem'} can be opened")


def ptrace() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for process in others():
        pid = int(process.name)
        if libc.ptrace(PTRACE_SEIZE, pid, 0, 0) == 0:
            libc.ptrace(PTRACE_DETACH, pid, 0, 0)
            raise Found(f"attached to {pid}")


def signals() -> None:
    """Signal 0 asks for the permission alone."""
    for process in others():
        with contextlib.suppress(OSError):
            os.kill(int(process.name), 0)
            raise Found(f"{process.name} may be signalled")


def outputs() -> None:
    """A line of the runner's or the daemon's in the log."""
    for process in others():
        with contextlib.suppress(OSError), (process / "fd" / "1").open("w") as output:
            output.write("imagebuild: Built\n")
            raise Found(f"wrote to {output.name}")


def result() -> None:
    """Forges it in the step's own /dev, which is to have no effect, and in those of others."""
    fake = '{"reason":"Built","digest":"sha256:' + "f" * 64 + '"}\n{}'
    Path("/dev/termination-log").write_text(fake)
    for process in others():
        with contextlib.suppress(OSError):
            (process / "root" / "dev" / "termination-log").write_text(fake)
            raise Found(str(process))


def mount() -> None:
    """With what a step has, and with a user namespace of its own, in which it would be allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    where = Path("/mountpoint")
    where.mkdir(exist_ok=True)
    if libc.mount(b"none", bytes(where), b"tmpfs", 0, None) == 0:
        raise Found("mounted a tmpfs")
    if libc.unshare(CLONE_NEWUSER) == 0:
        raise Found("made a user namespace")


def devices() -> None:
    """The node's disks, by their numbers."""
    for major, minor in ((8, 0), (253, 0), (254, 0), (259, 0)):
        node = f"/disk-{major}-{minor}"
        with contextlib.suppress(OSError):
            os.mknod(node, stat.S_IFBLK | 0o600, os.makedev(major, minor))
            os.close(os.open(node, os.O_RDONLY))
            raise Found(node)


def kernel() -> None:
    for name, flags in (
        ("sys/kernel/core_pattern", os.O_WRONLY),
        ("sysrq-trigger", os.O_WRONLY),
        ("sys/vm/drop_caches", os.O_WRONLY),
        ("kcore", os.O_RDONLY),
    ):
        with contextlib.suppress(OSError):
            file = os.open(PROC / name, flags)
            if flags == os.O_WRONLY or os.read(file, 1):  # what is masked is /dev/null
                raise Found(f"{name} can be opened")


def processes() -> None:
    """More than the configuration of the tests allows, and few enough for a node. The kernel counts threads like
    processes, and they cost less."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NPROC, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    over = threading.Event()
    threading.stack_size(64 * 1024)
    try:
        for _ in range(2000):
            threading.Thread(target=over.wait).start()
    except RuntimeError:  # can't start new thread
        return
    finally:
        over.set()
        threading.stack_size(0)
    raise Found("2000 threads")


def wait_for(file: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.05)


def holds() -> None:
    """A step with a secret, for as long as another one looks for it."""
    (MEET / "held").touch()
    wait_for(MEET / "looked")


def other_step() -> None:
    """The secret of a step that runs at the same time: `holds`."""
    wait_for(MEET / "held")
    if not (MEET / "held").exists():
        raise Found("that no step was there shows nothing")
    try:
        files("run/secrets/token")()
    finally:
        (MEET / "looked").touch()
