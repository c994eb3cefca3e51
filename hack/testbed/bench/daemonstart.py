"""Runs in a pod of the builder image: how long buildkitd takes until it answers, by itself and under the runner.

`python3 daemonstart.py PLAN TIMES` prints one JSON object: of each kind of start, its milliseconds, taken in
turns. By itself is as `buildctl-daemonless.sh` starts it; how often is looked is the same for both.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000 04 00 00000000")
_PYTHON = ("python3", "-S", "-E", "-B")
_RUNNER = "/opt/imagebuild"
_SECONDS = 60
_PAUSE = 0.002


def by_itself(work: Path, plan: str) -> tuple[list[str], Path]:
    del plan
    (work / "run").mkdir()
    address = work / "run" / "own.sock"
    flags = ("--oci-worker-no-process-sandbox", "--oci-worker-snapshotter=overlayfs")
    state = (f"--root={work / 'buildkit'}", f"--addr=unix://{address}")
    return ["rootlesskit", f"--state-dir={work / 'kit'}", "buildkitd", *flags, *state], address


def under_the_runner(work: Path, plan: str) -> tuple[list[str], Path]:
    places = (f"--plan={plan}", f"--work={work}", f"--stop={work / 'stop'}", f"--result={work / 'result'}")
    return [*_PYTHON, "-m", "imagebuild.runner", *places], work / "run" / "buildkitd.sock"


def until_it_answers(argv: list[str], address: Path) -> float:
    """Milliseconds; the programs are gone afterwards."""
    began = time.monotonic()
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(argv, cwd=_RUNNER, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    while not _answers(address):
        if process.poll() is not None or time.monotonic() > began + _SECONDS:
            raise SystemExit(f"{argv[0]} did not start buildkitd; it ended with {process.poll()}")
        time.sleep(_PAUSE)
    took = (time.monotonic() - began) * 1000
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=_SECONDS)
    return took


def _answers(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_SECONDS)
        try:
            client.connect(os.fsencode(address))
            client.sendall(_HELLO)
            return bool(client.recv(1))
        except OSError:
            return False


def until_it_ends(*words: str) -> float:
    began = time.monotonic()
    subprocess.run([*_PYTHON, *words], cwd=_RUNNER, check=True, timeout=_SECONDS)
    return (time.monotonic() - began) * 1000


def main(plan: str, times: int) -> None:
    found: dict[str, list[float]] = {"python": [], "imports": [], "buildkitd": [], "runner": []}
    for number in range(times):
        found["python"].append(until_it_ends("-c", "pass"))
        found["imports"].append(until_it_ends("-c", "import imagebuild.runner.__main__, imagebuild.runner.session"))
        kinds = [("buildkitd", by_itself), ("runner", under_the_runner)]
        for name, start in kinds[:: 1 if number % 2 else -1]:
            work = Path(os.environ["WORK"], f"{name}-{number}")
            work.mkdir()
            found[name].append(until_it_answers(*start(work, plan)))
            shutil.rmtree(work, ignore_errors=True)
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
