"""One build told to a person, and the command that does the same with Docker."""

from __future__ import annotations

import shlex
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest

from imagebuild.cli import ending, reproduce
from imagebuild.cli.describing import describe
from imagebuild.cli.terminal import harmless
from imagebuild.cli.view import View

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIT = "https://git.example.com/shop.git"


def view(spec: dict[str, Any], **status: Any) -> View:
    metadata = {"name": "shop", "namespace": "team-a", "generation": 1}
    return View({"metadata": metadata, "spec": spec, "status": {"observedGeneration": 1, **status}})


FAILED = view(
    {"dockerfile": {"inline": "FROM a\nRUN one\nRUN two\nRUN three\n"}, "output": {"discard": True}},
    phase="Failed",
    reason="StepFailed",
    message="RUN two failed",
    run={"number": 2},
    attempt=3,
    failures=2,
    queuedAt="2026-11-24T11:55:00Z",
    duration="21s",
    podName="shop-2-3-abc",
    timings={"fetch": 0.0, "solve": 15.04},
    usage={"memoryPeak": "1Gi"},
    failure={
        "message": "RUN two failed",
        "step": "[3/4] RUN two",
        "line": 3,
        "exitCode": 2,
        "logTail": "oh\ndear",
        "nextStep": "Mend it.",
    },
    trace={"id": "0af7651916cd43dd", "parent": "b7ad6b71", "link": "https://grafana.example.com/0af7651916cd43dd"},
    effective={"isolation": "Userns"},
    warnings=["imagebuild.dev/cancel: 'x' is not the number of a run"],
    history=[{"run": 1, "reason": "Built", "digest": "sha256:ab", "finishedAt": "2026-11-24T10:00:00Z"}],
)
BUILT = view(
    {"source": {"git": {"url": GIT}, "path": "api"}, "output": {"images": ["r.io/shop:{commit}"]}},
    phase="Succeeded",
    reason="Built",
    duration="21s",
    source={"commit": COMMIT, "branch": "main"},
    output={"digest": "sha256:ab", "images": ["r.io/shop:1", "r.io/shop:2"], "platform": "linux/amd64"},
    cache={
        "cached": 9,
        "total": 11,
        "summary": "9/11",
        "imports": [{"ref": "r.io/shop:c", "result": "Found"}],
        "export": {"ref": "r.io/shop:c", "error": "denied"},
    },
)


FAILURE = r"""shop in team-a: Failed, StepFailed

Why it failed:
  shop: StepFailed: RUN two failed
    Dockerfile:3 [3/4] RUN two (exit code 2)
      | oh
      | dear
    What to do: Read what the step says; imagebuild logs shop -n team-a has all of it.

The line:
       1 FROM a
       2 RUN one
  >    3 RUN two
       4 RUN three

Warnings:
  imagebuild.dev/cancel: 'x' is not the number of a run

Source:
  none

Run:
  run 2, attempt 3 (2 faults of the infrastructure)
  queued 5m ago
  pod shop-2-3-abc

Time:
  21s
  solve 15.0 s

Trace:
  0af7651916cd43dd
  https://grafana.example.com/0af7651916cd43dd

Usage:
  memoryPeak: 1Gi

In force:
  isolation: Userns

Runs before:
  run 1: Built 2h ago sha256:ab

Log:
  imagebuild logs shop -n team-a

The same with Docker:
  # in an empty directory
  printf '%s\n' \
      'FROM a' \
      'RUN one' \
      'RUN two' \
      'RUN three' |
  docker buildx build --progress=plain \
      --file=- \
      .
"""


def test_a_failure_comes_first_with_the_line_the_output_and_what_to_do() -> None:
    assert "\n".join(describe(FAILED, NOW, None)) + "\n" == FAILURE


def test_a_success_has_its_images_its_commit_and_what_the_cache_gave() -> None:
    told = describe(BUILT, NOW, None)
    assert "Why it failed:" not in told
    for line in (
        "  r.io/shop:1@sha256:ab",
        f"  git {GIT}, directory api",
        f"  commit {COMMIT}",
        "  9 of 11 steps",
        "  read r.io/shop:c: Found",
        "  not written r.io/shop:c: denied",
        f"      '{GIT}#{COMMIT}:api'",
    ):
        assert line in told, "\n".join(told)


def test_what_is_waited_for_comes_with_what_to_do_and_why_the_last_attempt_failed() -> None:
    failure = {"reason": "NodeLost", "message": "The node is gone.", "nextStep": "Nothing."}
    waits = view({}, phase="Pending", reason="SecretMissing", message="The Secret npm is missing.", failure=failure)
    told = describe(waits, NOW, None)
    assert "  SecretMissing: The Secret npm is missing. Create it; the build then goes on." in told
    assert "    shop: NodeLost: The node is gone." in told


def test_a_cancel_is_not_explained_by_an_attempt_that_failed_before_it() -> None:
    failure = {"reason": "NodeLost", "message": "The node is gone.", "logTail": "x", "line": 3}
    cancelled = view({}, phase="Failed", reason="Cancelled", message="Somebody cancelled it.", failure=failure)
    assert ending.failure(cancelled, log_shown=False) == [
        "shop: Cancelled: Somebody cancelled it.",
        "  What to do: Ask for a rebuild to build it after all.",
    ]


def test_a_build_that_nobody_has_seen_yet_can_be_told() -> None:
    new = View({"metadata": {"name": "shop", "namespace": "team-a", "generation": 1}, "spec": {}})
    assert "  Created: waits for the operator to see it" in describe(new, NOW, None)


def test_the_job_that_asked_for_it_is_found() -> None:
    page = "https://gitlab.example.com/team/shop/-/jobs/50"
    metadata = {"name": "shop", "namespace": "team-a", "annotations": {"imagebuild.dev/job": page}}
    lines = describe(View({"metadata": metadata, "spec": {}}), NOW, None)
    assert lines[lines.index("Job:") + 1] == f"  {page}"


def test_a_summary_is_a_line() -> None:
    assert ending.summary(BUILT) == "shop: Built in 21s, 9/11 steps from the cache"
    assert ending.images(BUILT) == ["r.io/shop:1@sha256:ab", "r.io/shop:2@sha256:ab"]


def test_the_output_of_a_step_is_not_repeated_below_its_log() -> None:
    assert "    | oh" in ending.failure(FAILED, log_shown=False)
    assert "    | oh" not in ending.failure(FAILED, log_shown=True)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"source": {"git": {"url": GIT, "branch": "b"}}}, [f"{GIT}#b"]),
        ({"source": {"git": {"url": GIT, "tag": "v1"}}}, [f"{GIT}#refs/tags/v1"]),
        ({"source": {"git": {"url": GIT, "branch": "b", "commit": COMMIT}, "path": "x"}}, [f"{GIT}#{COMMIT}:x"]),
        ({"source": {"http": {"url": "https://h/x.tgz"}}}, ["https://h/x.tgz"]),
        ({"source": {"configMap": {"name": "c"}, "path": "x"}}, ["x"]),
        ({"dockerfile": {"path": "a b", "target": "t"}}, ["--file=a b", "--target=t", "."]),
        ({"args": {"A": "it's $X"}}, ["--build-arg=A=it's $X", "."]),
        ({"secrets": [{"id": "i", "secretKeyRef": {"name": "n", "key": "k"}}]}, ["--secret=id=i,src=n.k", "."]),
        ({"ssh": [{"id": "default", "secretRef": {"name": "n"}}]}, ["--ssh=default=n.key", "."]),
        (
            {"contexts": [{"name": "a", "image": "r.io/a:1"}, {"name": "b", "path": "x"}, {"name": "c", "git": {"url": GIT}}]},
            ["--build-context=a=docker-image://r.io/a:1", "--build-context=b=x", f"--build-context=c={GIT}", "."],
        ),
        ({"output": {"labels": {"a": "b c"}}, "platforms": ["linux/arm64"]}, ["--platform=linux/arm64", "--label=a=b c", "."]),
        ({"cache": {"noCache": True}}, ["--no-cache", "."]),
        ({"cache": {"noCacheStages": ["a", "b"]}}, ["--no-cache-filter=a,b", "."]),
    ],
)  # fmt: skip
def test_a_spec_is_a_command_of_buildx(spec: dict[str, Any], words: list[str]) -> None:
    text = "\n".join(reproduce.command(view(spec)))
    assert shlex.split(text.replace("\\\n", ""), comments=True) == [
        "docker",
        "buildx",
        "build",
        "--progress=plain",
        *words,
    ]


def test_what_has_to_be_at_hand_is_said() -> None:
    spec = {
        "source": {"oci": {"image": "r.io/a:1"}},
        "secrets": [{"id": "i", "secretKeyRef": {"name": "n", "key": "k"}}],
        "ssh": [{"id": "default", "secretRef": {"name": "s"}}],
    }
    comments = [line for line in reproduce.command(view(spec)) if line.startswith("#")]
    assert [word in line for word, line in zip(["r.io/a:1", "n.k: ", "s.key: "], comments, strict=True)] == [True] * 3


def test_a_shell_reads_the_command_as_it_is_meant(tmp_path: Any) -> None:
    """With a docker that says what it is given."""
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\ncat\n')
    docker.chmod(0o755)
    spec = {"dockerfile": {"inline": "FROM a\nRUN echo $HOME `x` \\\n 'y'"}, "args": {"A": "$(b) 'c'"}}
    script = "\n".join(reproduce.command(view(spec)))
    done = subprocess.run(
        ["/bin/sh", "-c", script], env={"PATH": f"{tmp_path}:/bin:/usr/bin"}, capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "buildx\nbuild\n--progress=plain\n--file=-\n--build-arg=A=$(b) 'c'\n.\nFROM a\nRUN echo $HOME `x` \\\n 'y'\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("'; touch run; echo '", id="the end of a quotation"),
        pytest.param("\x1b['m; touch run; '", id="one that a terminal takes for a colour"),
        pytest.param("\r; touch run", id="another end of a line"),
        pytest.param("\u2028touch run", id="one that is none to the API server"),
    ],
)
def test_no_line_of_a_dockerfile_is_run_by_whoever_pastes_the_command(line: str, tmp_path: Any) -> None:
    (tmp_path / "docker").symlink_to("/bin/true")
    shown = describe(view({"dockerfile": {"inline": f"FROM a\n{line}\n"}}), NOW, None)
    script = harmless("\n".join(shown[shown.index("The same with Docker:") + 1 :]))
    subprocess.run(
        ["/bin/sh", "-c", script], env={"PATH": f"{tmp_path}:/bin:/usr/bin"}, cwd=tmp_path, check=True, timeout=60
    )
    assert not (tmp_path / "run").exists()


def test_ends_of_lines_of_windows_are_ends_of_lines() -> None:
    _, first, *_ = reproduce.command(view({"dockerfile": {"inline": "FROM a\r\nRUN b \\\r\n c\r\n"}}))
    assert first.split(" \\\n    ")[1:] == ["'FROM a'", "'RUN b \\'", "' c' |"]


def test_what_has_to_be_at_hand_stays_a_comment() -> None:
    """The API server takes ends of lines in a URL that are none to it."""
    spec = {"source": {"http": {"url": "https://h/x\u2028touch\x0brun"}, "path": "x"}}
    first, second, *_ = "\n".join(reproduce.command(view(spec))).splitlines()
    assert first == "# unpack https://h/x touch run here"
    assert second.startswith("docker buildx")
