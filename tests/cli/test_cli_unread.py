"""A reader that has gone, as of `| head -1`: what commands of each kind end with, without a word of Python's."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import chain, repeat
from pathlib import Path
from typing import Any, Literal

import pytest

from cli.cliserver import Api, kubeconfig
from imagebuild.cli.exits import Exit

BUILDS = "/apis/imagebuild.dev/v1alpha1/namespaces/team-a/imagebuilds"
LOG = "/api/v1/namespaces/team-a/pods/shop-1/log"
POLICY = Path(__file__).resolve().parents[2] / "manifests/operator/config.yaml"
SPEC = "{source: {git: {url: 'https://h/x.git'}}, output: {images: [r.io/a]}}"


def build(**status: Any) -> dict[str, Any]:
    metadata = {"name": "shop", "namespace": "team-a", "generation": 1, "resourceVersion": "1", "uid": "u"}
    told = {"observedGeneration": 1, "run": {"number": 1}, "attempt": 1, "podName": "shop-1", **status}
    return {"metadata": {**metadata, "creationTimestamp": "2026-11-24T11:00:00Z"}, "spec": {}, "status": told}


BUILT = build(phase="Succeeded", reason="Built", output={"images": ["r.io/a:1"], "digest": "sha256:ab"})
RUNS = build(phase="Running", reason="Building", podUID="p")
AGAIN = build(phase="Running", reason="Building", podUID="p", run={"number": 2})


def ended(api: Api, directory: Path, words: list[str], gone: Literal["stdout", "stderr"]) -> tuple[int, str]:
    """The exit code, and what the other stream was told."""
    reader, writer = os.pipe()
    os.close(reader)
    other = "stderr" if gone == "stdout" else "stdout"
    streams: dict[str, Any] = {gone: writer, other: subprocess.PIPE}
    command = [sys.executable, "-m", "imagebuild.cli", *words]
    environment = {**os.environ, "KUBECONFIG": kubeconfig(directory, api.url)}
    with os.fdopen(writer):
        done = subprocess.run(command, text=True, timeout=60, check=False, cwd=directory, env=environment, **streams)
    return done.returncode, getattr(done, other)


@pytest.fixture
def there(api: Api) -> Api:
    """A build that is over."""
    listed = {"metadata": {}, "items": [BUILT]}
    api.answers |= {BUILDS: (200, listed), f"{BUILDS}/shop": (200, BUILT)}
    api.answers[LOG] = (200, "2026-11-24T12:00:00.0Z one\n")
    return api


@pytest.mark.parametrize(
    "words",
    [["--help"], ["build", "--help"], ["list"], ["list", "-o", "json"], ["describe", "shop"], ["logs", "shop"], ["timeline", "shop"],
     ["completion", "bash"], ["gather", "shop"], ["policy", "explain", "--config", str(POLICY)]],
    ids=" ".join,
)  # fmt: skip
def test_who_reads_may_go_when_there_was_enough(words: list[str], there: Api, tmp_path: Path) -> None:
    code, told = ended(there, tmp_path, words, "stdout")
    assert (code, [line for line in told.splitlines() if "Error" in line or "Exception" in line]) == (Exit.OK, [])


@pytest.mark.parametrize(
    ("words", "document", "gone"),
    [
        pytest.param(["wait", "shop"], BUILT, "stdout", id="an image that nobody was told of"),
        pytest.param(["wait", "shop"], BUILT, "stderr", id="a state"),
        pytest.param(["logs", "-f", "shop"], RUNS, "stdout", id="the log of a build that runs"),
        pytest.param(["logs", "-f", "shop"], BUILT, "stdout", id="the log of one that is over"),
        pytest.param(["rebuild", "-f", "shop"], chain([BUILT, BUILT], repeat(AGAIN)), "stderr", id="a new run"),
        pytest.param(["build", "https://h/x.git", "-t", "r.io/a", "--no-ci"], BUILT, "stderr", id="a build"),
        pytest.param(["cancel", "shop", "shop"], RUNS, "stdout", id="the second of two"),
        pytest.param(["suspend", "shop", "shop"], RUNS, "stdout", id="likewise"),
        pytest.param(["policy", "explain", "--config", str(POLICY), "-f", "spec"], BUILT, "stdout", id="a judgement"),
    ],
)
def test_where_the_exit_code_is_the_answer_a_reader_that_has_gone_is_no_success(
    words: list[str], document: Any, gone: Literal["stdout", "stderr"], there: Api, tmp_path: Path
) -> None:
    (tmp_path / "spec").write_text(SPEC)
    there.answers |= {f"{BUILDS}/shop": (200, document)}
    if words[0] == "build":
        there.answers[BUILDS] = (201, document)
    code, told = ended(there, tmp_path, words, gone)
    assert code == Exit.INFRASTRUCTURE
    assert "Traceback" not in told
    assert ("The reader of this command's output has gone" in told) is (gone == "stdout")


def test_a_command_line_that_is_wrong_is_wrong_also_where_nobody_reads_why(there: Api, tmp_path: Path) -> None:
    assert ended(there, tmp_path, ["list", "--nonsense"], "stderr") == (Exit.USAGE, "")
