"""Running programs and saying so: the one place that starts processes, shows progress and words a failure."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

HEARTBEAT = 10.0
_START = time.monotonic()


class Failure(Exception):  # noqa: N818  it is a failure of the work, said to a person, not an error in this program
    """What could not be done, why, and what to do next; `code` is the exit status."""

    def __init__(self, what: str, cause: str, next_step: str, code: int = 1) -> None:
        super().__init__(f"{what}: {cause.strip()}\n  next: {next_step}")
        self.code = code


def say(message: str) -> None:
    print(f"[{time.monotonic() - _START:5.0f} s] {message}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def step(label: str) -> Iterator[None]:
    """Announce work that may take a while, and keep saying for how long it has been going on."""
    started, done = time.monotonic(), threading.Event()
    say(label)

    def beat() -> None:
        while not done.wait(HEARTBEAT):
            say(f"  … {label} ({time.monotonic() - started:.0f} s)")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def run(
    *argv: str | Path,
    stdin: str | bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = 120,
    next_step: str = "see the output above; run the command again when the cause is gone",
) -> str:
    """A program's standard output, or a Failure with the end of what it said."""
    done = attempt(*argv, stdin=stdin, env=env, cwd=cwd, timeout=timeout)
    if done.returncode == 0:
        return done.stdout.decode(errors="replace")
    said = (done.stderr or done.stdout).decode(errors="replace")
    tail = "\n    ".join(said.strip().splitlines()[-15:])
    raise Failure(f"{_short(argv)} failed with status {done.returncode}", tail or "it said nothing", next_step)


def attempt(
    *argv: str | Path,
    stdin: str | bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = 120,
) -> subprocess.CompletedProcess[bytes]:
    """The same for a program that may fail; a missing program is status 127 and a silent one 124, as a shell has it."""
    command = [str(word) for word in argv]
    data = stdin.encode() if isinstance(stdin, str) else stdin
    try:
        return subprocess.run(
            command,
            input=data if data is not None else b"",
            capture_output=True,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 127, b"", f"{command[0]}: no such program".encode())
    except subprocess.TimeoutExpired as late:
        said = (late.stderr or b"") + f"\nno end after {timeout:.0f} s".encode()
        return subprocess.CompletedProcess(command, 124, late.stdout or b"", said)


def pipe(
    producer: tuple[str, ...], consumer: tuple[str, ...], env: Mapping[str, str] | None = None, timeout: float = 600
) -> None:
    """What a shell's `producer | consumer` does; either one failing is a Failure."""
    with subprocess.Popen(producer, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as source:
        merged = {**os.environ, **(env or {})}
        taken = subprocess.run(
            consumer, stdin=source.stdout, capture_output=True, env=merged, timeout=timeout, check=False
        )
        if source.stdout:
            source.stdout.close()
    if source.returncode or taken.returncode:
        said = taken.stderr.decode(errors="replace").strip() or f"{producer[0]} ended with {source.returncode}"
        raise Failure(f"{_short(producer)} | {_short(consumer)}", said, "is there room on the disk? then run it again")


def daemon(*argv: str | Path, log: Path, env: Mapping[str, str] | None = None) -> int:
    """Start a program that outlives this one; its pid."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    return process.pid


def wait_for(what: str, seconds: float, ready: Callable[[], bool], next_step: str, interval: float = 0.2) -> None:
    """Call `ready` until it says yes; a Failure when it has not within the time."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise Failure(f"waiting for {what}", f"not there after {seconds:.0f} s", next_step)
        time.sleep(interval)


def _short(argv: tuple[str | Path, ...]) -> str:
    words = " ".join(str(word) for word in argv)
    return words if len(words) <= 120 else words[:117] + "..."  # noqa: PLR2004  a line of a terminal
