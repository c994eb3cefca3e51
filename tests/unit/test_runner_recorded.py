"""What real builds failed of, as a reason: recorded from BuildKit v0.33.1, one row for each way to fail.

recorded/failures.json holds for each row the Dockerfile, what the trace says of the vertices that failed, and how
buildctl's output ends.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagebuild.contract.plan import Plan
from imagebuild.contract.reasons import Fault, Reason
from imagebuild.runner.blame import blame
from imagebuild.runner.diagnose import Diagnosis, diagnose, last_error, line_number
from imagebuild.runner.trace import Trace, Vertex

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "recorded" / "failures.json").read_text())

EXPECTED = {
    Reason.STEP_FAILED: (
        "failing exec-format no-program no-program-shell not-executable scratch-run unknown-user workdir-file secret "
        "copy-dir-into-file step-named-401 step-prints-401 step-weird-user multiline disk-full-run sbom-step"
    ),
    Reason.DOCKERFILE_INVALID: (
        "parse empty only-comment no-from target circular bad-mount bad-mount-opt bad-stage-name brace check chmod "
        "copy-one expose from-bad-ref from-blank healthcheck heredoc insecure label multi-error nethost onbuild "
        "platform shell stopsignal unknown-flag var-default weird-instruction workdir-empty add-checksum disk-name "
        "from-file-named-not-found unknown-frontend"
    ),
    Reason.FILE_NOT_FOUND: (
        "add-missing add-404 copy-missing copy-excluded copy-from-missing copy-outside copy-weird-name unpack "
        "no-dockerfile"
    ),
    Reason.SOURCE_UNAUTHORIZED: "add-git",
    Reason.SPEC_INVALID: "bad-arg push-bad-name",
    Reason.REGISTRY_UNAUTHORIZED: "from-401 from-401b push-401 push-401b push-token",
    Reason.REGISTRY_DENIED: "from-403 push-403 manifest-refused",
    Reason.REPOSITORY_NOT_FOUND: "push-404",
    Reason.REGISTRY_BUSY: "from-429 push-429",
    Reason.IMAGE_NOT_FOUND: "from-404 from-app-notag syntax",
    Reason.REGISTRY_UNAVAILABLE: (
        "from-500 from-503 from-nohost from-refused from-self bind-from copy-from-no-stage push-500 "
        "push-503 push-nohost push-refused add-500 add-refused add-git-refused"
    ),
    Reason.CACHE_LOST: "cache-lost-changed cache-lost-same",
    Reason.DISK_FULL: "disk-full-commit disk-full-copy",
    Reason.DAEMON_DIED: "daemon-gone daemon-killed",
    Reason.CONTAINER_FAILED: "run-in-missing-dir-file",
    Reason.UNKNOWN: "bad-output",
    Reason.SBOM_SCANNER_FAILED: "sbom-failed sbom-missing sbom-no-command sbom-rubbish",
    Reason.FRONTEND_FAILED: "frontend-broken frontend-none frontend-arg",
    Reason.FRONTEND_NOT_ALLOWED: "gateway-off",
}
ROWS = [
    pytest.param(name, reason, id=f"{name} is {reason}") for reason, rows in EXPECTED.items() for name in rows.split()
]


def diagnosis(name: str, directory: Path) -> Diagnosis:
    case = RECORDED[name]
    file = directory / "trace.json"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in case["trace"]))
    trace = Trace(file)
    trace.read()
    said = case["said"]
    imported = name.startswith("cache-lost")
    failed = trace.failed
    # the recordings are older than the look at runc's log, which has the first line of what it says
    runc = (failed.head.partition("\n")[0],) if failed else ()
    error, line = last_error(said), line_number(said)
    found = diagnose(failed, error, line, imported=imported, out_of_memory=False, runc=runc)
    scanner = (f"attest:sbom=generator={case['scanner']}",) if "scanner" in case else ()
    return blame(found, failed, error, Plan(args=scanner), Path("none"))


def test_every_recorded_failure_has_a_row() -> None:
    rows = sorted(name for names in EXPECTED.values() for name in names.split())
    assert rows == sorted(RECORDED)


@pytest.mark.parametrize(("name", "reason"), ROWS)
def test_a_failure_has_its_reason(tmp_path: Path, name: str, reason: Reason) -> None:
    found = diagnosis(name, tmp_path)
    assert found.reason is reason, found.message
    assert found.message, "every reason comes with its cause"
    assert "of ref" not in found.message, "without BuildKit's internal references"


@pytest.mark.parametrize(
    ("name", "step", "line", "code"),
    [
        pytest.param("failing", "[2/3] RUN echo the last words && exit 42", 3, 42, id="a step that failed"),
        pytest.param("scratch-run", "[1/1] RUN true", 2, 1, id="a program that the image does not have"),
        pytest.param("unknown-user", "[1/2] RUN true", 3, None, id="a user that the image does not have"),
        pytest.param("parse", None, 2, None, id="a line that is no Dockerfile"),
        pytest.param("heredoc", None, 2, None, id="a heredoc without its end"),
        pytest.param("no-dockerfile", None, None, None, id="no Dockerfile at all"),
    ],
)
def test_a_failure_is_placed(tmp_path: Path, name: str, step: str | None, line: int | None, code: int | None) -> None:
    failure = diagnosis(name, tmp_path).failure
    if step is not None:
        assert failure.step == step
    assert (failure.line, failure.exit_code) == (line, code)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        pytest.param("copy-missing", "/nothing.txt", id="the file"),
        pytest.param("from-404", "127.0.0.1:5992/404/app:1", id="the image"),
        pytest.param("push-401b", "127.0.0.1:5992/401b/app:1", id="the image to push"),
        pytest.param("no-program", "/nothing", id="the program"),
        pytest.param("unknown-user", "nobody2", id="the user"),
        pytest.param("secret", "secret a", id="the secret"),
        pytest.param("target", "zzz", id="the stage"),
        pytest.param("expose", "abc", id="the port"),
        pytest.param("run-in-missing-dir-file", "error mounting", id="what runc says"),
        pytest.param("sbom-failed", "e2e/scan-failing:1: exit code 3", id="the scanner"),
        pytest.param("sbom-missing", "e2e/scan-nope:1 cannot be pulled", id="the scanner that is not there"),
        pytest.param("sbom-no-command", "does not have cmd", id="what the scanner lacks"),
        pytest.param("sbom-rubbish", "e2e/scan-rubbish:1: cannot decode", id="the scanner that wrote it"),
        pytest.param("frontend-none", "syntax= line", id="what names the frontend"),
    ],
)
def test_the_message_names_the_thing(tmp_path: Path, name: str, word: str) -> None:
    assert word in diagnosis(name, tmp_path).message


def test_a_step_that_failed_is_to_blame_also_where_the_frontend_ends_with_it(tmp_path: Path) -> None:
    step, ended = diagnosis("failing", tmp_path), "exit code: 1"
    assert blame(step, Vertex("[2/3] RUN a", error="x"), ended, Plan(), tmp_path) is step
    assert blame(step, None, ended, Plan(), tmp_path).reason is Reason.FRONTEND_FAILED


def test_the_output_of_a_failed_step_is_kept(tmp_path: Path) -> None:
    assert diagnosis("failing", tmp_path).failure.log_tail == "the last words"


def test_what_no_row_knows_is_the_users_where_buildkit_points_to_a_line(tmp_path: Path) -> None:
    known = diagnose(None, "something new", 3, imported=False, out_of_memory=False)
    unknown = diagnose(None, "something new", None, imported=False, out_of_memory=False)
    assert (known.reason, unknown.reason) == (Reason.DOCKERFILE_INVALID, Reason.UNKNOWN)
    assert (known.reason.row.fault, unknown.reason.row.fault) == (Fault.USER, Fault.INFRASTRUCTURE)


def test_without_an_imported_cache_none_is_lost() -> None:
    gone = RECORDED["cache-lost-same"]["said"]
    found = diagnose(None, last_error(gone), line_number(gone), imported=False, out_of_memory=False)
    assert found.reason is not Reason.CACHE_LOST
