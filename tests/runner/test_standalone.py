"""The runner stands on the standard library alone: the builder image has nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from imagebuild.contract import layout
from imagebuild.contract.plan import LIMIT, Dockerfile, Output, Plan
from imagebuild.contract.reasons import Reason
from runner.pod import OPERATOR, STEP, Pod, vertex

MODULES = sorted(file.stem for file in (OPERATOR / "imagebuild" / "runner").glob("*.py") if file.stem != "__init__")
LOADED = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(f"imagebuild.runner.{name}")
files = [getattr(module, "__file__", None) for module in sys.modules.values()]
print(json.dumps([file for file in files if file]))
"""


def python(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-B", *words], cwd=OPERATOR, env={}, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_help_works_with_nothing_but_the_package() -> None:
    said = python(*layout.RUNNER_COMMAND[4:], "--help")
    for place in (layout.PLAN_FILE, layout.STOP_FILE, layout.WORK_DIR, layout.TERMINATION_LOG):
        assert place in said


def test_all_that_it_imports_is_of_the_standard_library_or_its_own() -> None:
    files = json.loads(python("-c", LOADED, *MODULES))
    ours = [file for file in files if file.startswith(str(OPERATOR))]
    assert len(ours) > len(MODULES)
    standard = [path for path in json.loads(python("-c", "import json, sys; print(json.dumps(sys.path[1:]))")) if path]
    assert [file for file in files if file not in ours and not file.startswith(tuple(standard))] == []
    assert not any("site-packages" in file or "dist-packages" in file for file in files)
    assert not any(f"/imagebuild/{part}/" in file for file in ours for part in ("api", "core", "controller"))


def test_half_of_the_runner_and_tls_are_not_loaded_before_the_daemon_is_on_its_way() -> None:
    """They take longer to load than all the rest, and the daemon starts meanwhile."""
    loaded = python("-c", "import imagebuild.runner.session, sys; print(*sys.modules)").split()
    assert "subprocess" in loaded
    later = {"ssl", "urllib.request", "http.client", "concurrent.futures", "hashlib"}
    assert not (later | {"imagebuild.runner.course"}) & set(loaded)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param("", id="nothing"),
        pytest.param("{", id="no JSON"),
        pytest.param("[]", id="a list"),
        pytest.param('{"output": {"images": "r.io/a"}}', id="a text for a list"),
        pytest.param('{"git": {}}', id="a source without its URL"),
        pytest.param('{"args": ' + "[" * 100_000, id="deeper than can be read"),
        pytest.param('{"args": ["\udcff"]}', id="bytes that are no text"),
    ],
)
def test_a_plan_that_cannot_be_read_still_has_a_result(pod: Pod, asked: str) -> None:
    found, _, code = pod.run(asked)
    assert (found.essentials.reason, code) == (Reason.RUNNER_FAILED, 1)
    assert "the plan cannot be read" in found.essentials.message


def test_a_disk_that_buildkit_has_filled_costs_no_result(pod: Pod, tmp_path: Path) -> None:
    """Both are on the node's disk."""
    disk = tmp_path / "disk"
    disk.mkdir()
    pod.work, pod.result_file = disk / "work", disk / "result"
    script = f"""
        mount -t tmpfs -o size=512k tmpfs {disk}
        mkdir -p {pod.work}/buildkit
        cat /dev/zero >{pod.work}/buildkit/layers 2>/dev/null
        "$@"
        code=$?
        cp {pod.result_file} {tmp_path}/kept
        exit $code
    """
    running = pod.start(
        Plan(dockerfile=Dockerfile(inline="FROM scratch\n")),
        *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"),
    )
    pod.result_file = tmp_path / "kept"
    found, log, code = pod.end(running)
    assert (found.essentials.reason, code) == (Reason.DISK_FULL, 1), log


def test_a_result_that_cannot_be_written_at_all_leaves_the_log_and_the_exit_code(pod: Pod) -> None:
    pod.result_file = Path("/dev/full")
    running = pod.start(Plan(dockerfile=Dockerfile(inline="FROM scratch\n")))
    log, _ = running.communicate(timeout=60)
    assert (running.returncode, "imagebuild: Built" in log) == (0, True), log


def test_a_plan_as_large_as_plans_may_be_passes_every_argument_byte_for_byte(pod: Pod) -> None:
    odd = "--opt=build-arg:X=$(id) `id` \"'\\ \t\n*?~ ü日本 $(X) {commit}"
    args = (odd, *(f"--opt=build-arg:A{number}={'x' * 1000}" for number in range(LIMIT // 1100)))
    pod.run(Plan(dockerfile=Dockerfile(inline="FROM scratch\n"), args=args))
    (call,) = pod.seen("buildctl")
    start = call["argv"].index(odd)
    assert tuple(call["argv"][start : start + len(args)]) == args


def test_the_result_of_the_worst_failure_fits(pod: Pod) -> None:
    """pod.run holds every result to the limit; this one has all its fields full."""
    error = f'process "/bin/sh -c {"ü" * 3000}" did not complete successfully: exit code: 2'
    said = {"logs": [{"vertex": STEP, "data": "w7w="} for _ in range(400)]}
    name = f"[stage 1/1] RUN {'ü' * 3000}"
    pod.behave(calls=[{"trace": [vertex(name=name), said, vertex(name=name, error=error)], "code": 1}])
    images = tuple(f"r.io/{'a' * 200}:{number}" for number in range(16))
    found, _, _ = pod.run(Plan(dockerfile=Dockerfile(inline="FROM scratch\n"), output=Output(images=images)))
    assert found.essentials.reason is Reason.STEP_FAILED
    assert found.details.failure is not None
    assert found.details.failure.exit_code == 2
