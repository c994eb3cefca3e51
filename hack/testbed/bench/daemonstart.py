"""Runs in a pod of the builder image: how long buildkitd takes until it answers, by itself and under the runner.

`python3 daemonstart.py TIMES` prints one JSON object: of each kind of start, its milliseconds, taken in
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
from collections import defaultdict
from pathlib import Path

_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000 04 00 00000000")
_PLAIN = ("python3", "-B")
_PYTHON = (*_PLAIN, "-S", "-E")
_RUNNER = "/opt/imagebuild"
_BEFORE = "imagebuild.runner.__main__, imagebuild.runner.session"
_MEANWHILE = "imagebuild.runner.course, imagebuild.runner.registry, imagebuild.runner.existing"
_WORK = Path("/work")
_SECONDS = 60
_PAUSE = 0.002


_SOCKET = _WORK / "run" / "buildkitd.sock"
_STARTS = {
    "buildkitd": [
        *("rootlesskit", f"--state-dir={_WORK}/kit", "buildkitd"),
        *("--oci-worker-no-process-sandbox", "--oci-worker-snapshotter=overlayfs"),
        *(f"--root={_WORK}/buildkit", f"--addr=unix://{_SOCKET}"),
    ],
    "runner": [*_PYTHON, "-m", "imagebuild.runner"],
}
"""The runner finds its plan where it is in a build pod."""


def until_it_answers(argv: list[str]) -> tuple[float, float]:
    """Milliseconds, and those from TERM until all is gone."""
    began = time.monotonic()
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(argv, cwd=_RUNNER, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    while not _answers():
        if process.poll() is not None or time.monotonic() > began + _SECONDS:
            raise SystemExit(f"{argv[0]} did not start buildkitd; it ended with {process.poll()}")
        time.sleep(_PAUSE)
    answered = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait()
    return (answered - began) * 1000, (time.monotonic() - answered) * 1000


def _answers() -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_SECONDS)
        try:
            client.connect(os.fsencode(_SOCKET))
            client.sendall(_HELLO)
            return bool(client.recv(1))
        except OSError:
            return False


def until_it_ends(code: str, python: tuple[str, ...] = _PYTHON) -> float:
    began = time.monotonic()
    subprocess.run([*python, "-c", code], cwd=_RUNNER, check=True)  # with a timeout it looks up to 50 ms late
    return (time.monotonic() - began) * 1000


def main(times: int) -> None:
    found = defaultdict[str, list[float]](list)
    for number in range(times):
        found["python"].append(until_it_ends("pass"))
        found["imports"].append(until_it_ends(f"import {_BEFORE}"))
        found["site"].append(until_it_ends(f"import {_BEFORE}", _PLAIN))
        found["source"].append(until_it_ends(f"import {_BEFORE}", (*_PYTHON, "-X", "pycache_prefix=/nowhere")))
        found["all"].append(until_it_ends(f"import {_BEFORE}, {_MEANWHILE}"))
        for name in [*_STARTS][:: 1 if number % 2 else -1]:
            took, ended = until_it_answers(_STARTS[name])
            found[name].append(took)
            found[f"{name} ended"].append(ended)
            for left in _WORK.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
