"""A place in which the real runner runs: its files, and BuildKit's programs played by scripts that a test drives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from imagebuild.contract import layout, plan, result
from imagebuild.contract.result import BuildResult

OPERATOR = Path(__file__).resolve().parents[2] / "operator"
DIGEST = "sha256:" + "ab" * 32
STEP = "sha256:" + "01" * 32
EXPORT, CACHE = "sha256:" + "02" * 32, "sha256:" + "03" * 32

ROOTLESSKIT = """
import os, sys
command = [word for word in sys.argv[1:] if not word.startswith("--state-dir")]
os.execvp(command[0], command)
"""
BUILDKITD = """
import pathlib, socket, sys, threading, time
from driven import say, behaviour
say("buildkitd", sys.argv)
address = next(word for word in sys.argv if word.startswith("--addr=")).removeprefix("--addr=unix://")
if "daemon_says" in behaviour:
    sys.exit(behaviour["daemon_says"])
server = socket.socket(socket.AF_UNIX)
server.bind(address)
server.listen()
def serve():
    while True:
        client, _ = server.accept()
        if not behaviour.get("daemon_silent"):
            client.sendall(bytes.fromhex("000000040000000000"))  # the SETTINGS that open every answer of HTTP/2
        clients.append(client)
clients = []
threading.Thread(target=serve, daemon=True).start()
time.sleep(behaviour.get("daemon_lives", 60))
sys.exit(behaviour.get("daemon_last_words", "the daemon has died"))
"""
BUILDCTL = """
import json, os, pathlib, signal, subprocess, sys, time
from driven import say, behaviour
say("buildctl", sys.argv)
calls = behaviour["calls"]
trace = pathlib.Path(next(word for word in sys.argv if word.startswith("--trace=")).removeprefix("--trace="))
metadata = pathlib.Path(next(word for word in sys.argv if word.startswith("--metadata-file=")).removeprefix("--metadata-file="))
number = len(list(trace.parent.glob("call-*")))
(trace.parent / f"call-{number}").touch()
call = calls[min(number, len(calls) - 1)]
def write(lines):
    with trace.open("a") as file:
        for line in lines:
            file.write((line if isinstance(line, str) else json.dumps(line)) + "\\n")
write(call.get("trace", []))
if "runc_log" in call:
    log = trace.parents[1] / "buildkit/runc-overlayfs/executor/runc-log.json"
    log.parent.mkdir(parents=True)
    log.write_text(call["runc_log"])
print(call.get("output", "#1 [1/1] RUN true"), file=sys.stderr, flush=True)
for name in call.get("signals_to_first_process", []):
    os.kill(1, getattr(signal, name))
    print("#1 sent", name, file=sys.stderr, flush=True)
if "leaves_behind" in call:
    subprocess.run(["sh", "-c", f"sleep {call['leaves_behind']} &"], start_new_session=True)
if "counts_zombies_after" in call:
    time.sleep(call["counts_zombies_after"])
    stats = [stat.read_text().rpartition(")")[2].split() for stat in pathlib.Path("/proc").glob("[0-9]*/stat")]
    print("#1 zombies:", sum(stat[0] == "Z" for stat in stats), file=sys.stderr, flush=True)
time.sleep(call.get("sleep", 0))
if "metadata" in call:
    metadata.write_text(call["metadata"] if isinstance(call["metadata"], str) else json.dumps(call["metadata"]))
sys.exit(call.get("code", 0))
"""
DRIVEN = """
import json, os, pathlib, resource
here = pathlib.Path(__file__).parent
behaviour = json.loads((here / "behaviour.json").read_text())
def say(name, words):
    with (here / "seen.jsonl").open("a") as file:
        processes = resource.getrlimit(resource.RLIMIT_NPROC)
        file.write(json.dumps({"program": name, "argv": words, "env": dict(os.environ), "processes": processes}) + "\\n")
"""


def vertex(digest: str = STEP, name: str = "[1/1] RUN make", **more: Any) -> dict[str, Any]:
    return {"vertexes": [{"digest": digest, "name": name, "started": "2026-01-01T00:00:00Z", **more}]}


DONE = {"completed": "2026-01-01T00:00:01Z"}
PUSHED: list[dict[str, Any]] = [
    vertex(EXPORT, "exporting to image", **DONE),
    {
        "statuses": [
            {
                "id": f"pushing manifest for 127.0.0.1:1/a:1@{DIGEST}",
                "vertex": EXPORT,
                "completed": "2026-01-01T00:00:01Z",
            }
        ]
    },
]
METADATA = {
    "containerimage.digest": DIGEST,
    "containerimage.descriptor": {"platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
}
SUCCESS: dict[str, Any] = {"trace": [vertex(**DONE), *PUSHED], "metadata": METADATA}
FAILED: dict[str, Any] = {
    "trace": [vertex(**DONE, error='process "/bin/sh -c make" did not complete successfully: exit code: 2')],
    "code": 1,
}


class Pod:
    """One run of the runner."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.work, self.bin = directory / "work", directory / "bin"
        self.plan_file, self.stop_file, self.result_file = (
            directory / name for name in ("plan.json", "stop", "result")
        )
        for made in (self.work, self.bin):
            made.mkdir()
        self.stop_file.touch()
        self.env: dict[str, str] = {}
        """What the pod has beside its own, such as from a webhook."""
        for name, text in {"rootlesskit": ROOTLESSKIT, "buildkitd": BUILDKITD, "buildctl": BUILDCTL}.items():
            program = self.bin / name
            program.write_text(f"#!{sys.executable}\n{textwrap.dedent(text)}")
            program.chmod(0o755)
        (self.bin / "driven.py").write_text(DRIVEN)
        self.behave(calls=[SUCCESS])

    def behave(self, **behaviour: Any) -> None:
        (self.bin / "behaviour.json").write_text(json.dumps(behaviour))

    def start(self, asked: plan.Plan | str, *within: str) -> subprocess.Popen[str]:
        """`within`: a command that runs the runner, such as unshare."""
        self.plan_file.write_text(asked if isinstance(asked, str) else plan.dump(asked), errors="surrogateescape")
        flags = {"--plan": self.plan_file, "--stop": self.stop_file, "--work": self.work, "--result": self.result_file}
        return subprocess.Popen(
            [
                *within,
                sys.executable,
                *layout.RUNNER_COMMAND[1:],
                *(str(word) for pair in flags.items() for word in pair),
            ],
            cwd=OPERATOR,
            env={"PATH": f"{self.bin}:{os.environ['PATH']}", "PLANTED": "do-not-pass-on", **self.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def run(self, asked: plan.Plan | str) -> tuple[BuildResult, str, int]:
        """Result, log and exit code."""
        return self.end(self.start(asked))

    def end(self, running: subprocess.Popen[str]) -> tuple[BuildResult, str, int]:
        log, _ = running.communicate(timeout=60)
        written = self.result_file.read_text()
        assert len(written.encode()) <= result.LIMIT
        found = result.parse(written)
        assert found is not None, log
        return found, log, running.returncode

    def seen(self, program: str) -> list[dict[str, Any]]:
        """Each start of a program: its argv, environment, and limit of processes."""
        file = self.bin / "seen.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [line for line in lines if line["program"] == program]

    def wait_for(self, program: str) -> None:
        """Until it has been started."""
        self._wait(lambda: bool(self.seen(program)), f"{program} was not started")

    def wait_for_result(self) -> None:
        self._wait(lambda: self.result_file.exists() and bool(self.result_file.read_text()), "no result was written")

    def wait_for_trace(self, text: str) -> None:
        """Until buildctl has written this there."""
        trace = self.work / "report" / "trace.json"
        self._wait(lambda: trace.exists() and text in trace.read_text(), f"the trace never said {text}")

    def _wait(self, done: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + 30
        while not done():
            assert time.monotonic() < end, what
            time.sleep(0.02)
