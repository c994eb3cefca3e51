"""BuildKit's trace as it is written, recorded from BuildKit v0.33.1 (recorded/*.trace.jsonl)."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from imagebuild.runner.diagnose import last_error, line_number
from imagebuild.runner.trace import Trace, Vertex

RECORDED = Path(__file__).parent / "recorded"
PUSHED = "sha256:fd1c03f2a085a7e5b4da9d00762490080c7fae1a369c47e32afe3c76405ce701"


def trace(name: str) -> Trace:
    found = Trace(RECORDED / f"{name}.trace.jsonl")
    found.read()
    return found


@pytest.mark.parametrize(
    ("name", "cached", "total"),
    [
        pytest.param("ok", 0, 3, id="a first build"),
        pytest.param("cached", 3, 3, id="the same again"),
        pytest.param("imported", 3, 3, id="from an imported cache"),
        pytest.param("parallel", 0, 4, id="with stages side by side"),
        pytest.param("failing", 0, 2, id="up to a failure"),
    ],
)
def test_steps_of_the_dockerfile_are_counted_without_from_and_what_is_internal(
    name: str, cached: int, total: int
) -> None:
    steps = trace(name).steps
    assert (sum(step.cached for step in steps), len(steps)) == (cached, total), [step.name for step in steps]


@pytest.mark.parametrize(
    ("name", "blamed"),
    [
        pytest.param("ok", None, id="nobody after a success"),
        pytest.param("failing", "[2/3] RUN echo the last words && exit 42", id="the step that failed"),
        pytest.param("parallel", "[b 1/2] RUN sleep 1; echo wrong; exit 3", id="not the one cancelled because of it"),
        pytest.param("imported", None, id="not a cache that is not there"),
        pytest.param("export-refused", None, id="not a cache that cannot be written"),
        pytest.param("cancelled", None, id="nobody when all was cancelled"),
        pytest.param("manifest-refused", "exporting to image", id="the push that was refused"),
    ],
)
def test_who_is_to_blame(name: str, blamed: str | None) -> None:
    failed = trace(name).failed
    assert (failed.name if failed else None) == blamed


@pytest.mark.parametrize(
    ("name", "pushed"),
    [
        pytest.param("ok", True, id="one image and the cache"),
        pytest.param("cached", True, id="two images and the cache"),
        pytest.param("cache-export-hangs", True, id="two images, while the cache hangs"),
        pytest.param("second-image-hangs", False, id="not when one of two hangs"),
        pytest.param("manifest-refused", False, id="not when one of two is refused, though the trace has it completed"),
        pytest.param("discard-cache-export-hangs", False, id="not without an image"),
        pytest.param("failing", False, id="not after a failure"),
    ],
)
def test_pushed_is_what_is_pushed_under_all_its_names(name: str, pushed: bool) -> None:
    assert (trace(name).pushed is not None) == pushed


def test_the_digest_is_that_of_the_manifest() -> None:
    assert trace("ok").pushed == PUSHED


def test_at_no_moment_before_the_push_is_an_image_taken_for_pushed(tmp_path: Path) -> None:
    """Its vertex completes twice, and the export of the cache begins in between."""
    file = tmp_path / "trace.json"
    found, moments = Trace(file), []
    lines = (RECORDED / "cache-export-hangs.trace.jsonl").read_text().splitlines(keepends=True)
    for count in range(len(lines) + 1):
        file.write_text("".join(lines[:count]))
        found.read()
        moments.append((found.pushed is not None, found.only_the_cache_is_left(push=True)))
    written = "".join(lines)
    first = next(number for number, (pushed, _) in enumerate(moments) if pushed)
    done = [entry["id"] for entry in _statuses("".join(lines[:first])) if "completed" in entry]
    assert sum(name.startswith("pushing manifest for") for name in done) == 2, written
    assert not any(left for _, left in moments[:first])
    assert moments[first] == (True, True)


def test_of_a_build_that_keeps_nothing_only_the_cache_can_be_left(tmp_path: Path) -> None:
    lines = (RECORDED / "discard-cache-export-hangs.trace.jsonl").read_text().splitlines(keepends=True)
    file = tmp_path / "trace.json"
    file.write_text("".join(line for line in lines if "context canceled" not in line))
    found = Trace(file)
    found.read()
    assert found.only_the_cache_is_left(push=False)
    assert not found.only_the_cache_is_left(push=True)


def test_why_the_cache_was_not_written_is_kept() -> None:
    assert trace("export-refused").cache_export_error == "error writing layer blob: denied"
    assert trace("ok").cache_export_error == ""


def test_lines_that_are_still_being_written_are_read_when_they_are_whole(tmp_path: Path) -> None:
    whole = (RECORDED / "failing.trace.jsonl").read_bytes()
    file = tmp_path / "trace.json"
    found = Trace(file)
    found.read()
    for end in (*range(0, len(whole), 97), len(whole)):
        file.write_bytes(whole[:end])
        found.read()
    failed = found.failed
    assert failed is not None
    assert list(failed.log) == ["the last words"]


def test_the_first_error_of_a_vertex_is_kept_when_it_is_cancelled_later(tmp_path: Path) -> None:
    errors = ('"/x": not found', "context canceled: context canceled")
    written = [{"vertexes": [{"digest": "v", "name": "[1/1] COPY x /", "error": error}]} for error in errors]
    failed = _written(tmp_path, *map(json.dumps, written)).failed
    assert failed is not None
    assert failed.error == errors[0]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "null",
        "[]",
        '"text"',
        '{"vertexes": 7}',
        '{"vertexes": [7]}',
        '{"vertexes": [{"name": "no digest"}]}',
        '{"statuses": [{"id": 7, "completed": "now"}]}',
        '{"logs": [{"vertex": "v", "data": "%%%"}]}',
        '{"logs": [{"vertex": "v", "data": 7}]}',
    ],
)
def test_a_line_that_makes_no_sense_is_left_out(tmp_path: Path, line: str) -> None:
    good = {"vertexes": [{"digest": "v", "name": "[1/1] RUN make", "error": "it failed"}]}
    found = _written(tmp_path, json.dumps(good), line, json.dumps(good))
    assert found.failed is not None
    assert found.failed.error == "it failed"


@pytest.mark.parametrize(
    ("name", "step"),
    [
        pytest.param("[2/3] RUN make", True, id="of the only stage"),
        pytest.param("[test 2/3] RUN make", True, id="of a named stage"),
        pytest.param("[ 2/12] RUN make", True, id="of more than nine, padded"),
        pytest.param("[test  2/12] RUN make", True, id="of more than nine of a named stage"),
        pytest.param("[ 1/12] FROM busybox", False, id="the image it starts from"),
        pytest.param("[internal] load .dockerignore", False, id="BuildKit's own"),
        pytest.param("[linux/amd64] generating sbom using scanner", False, id="a scanner"),
    ],
)
def test_a_step_is_known_by_its_number(name: str, step: bool) -> None:
    assert Vertex(name).step is step


def test_no_output_of_a_step_forges_a_vertex_a_cause_or_a_line() -> None:
    """The step printed trace lines, `error:` lines, a line number with its dashes, and escapes."""
    found = trace("forged")
    said = (RECORDED / "forged.said.txt").read_bytes().decode().split("\n")
    assert [step.name.startswith("[1/2] RUN printf") for step in found.steps] == [True]
    assert found.failed is found.steps[0]
    assert last_error(said).endswith("exit code: 7")
    assert line_number(said) == 2


def test_the_log_of_a_step_is_without_control_characters(tmp_path: Path) -> None:
    data = base64.b64encode(b"\x1b[31mred\x1b[0m \x1b]0;title\x07\x00over\xff\nnext").decode()
    known = {"vertexes": [{"digest": "v", "name": "[1/1] RUN x"}], "logs": [{"vertex": "v", "data": data}]}
    (step,) = _written(tmp_path, json.dumps(known)).steps
    assert list(step.log) == ["red over\ufffd", "next"]


def _written(directory: Path, *lines: str) -> Trace:
    file = directory / "trace.json"
    file.write_text("".join(f"{line}\n" for line in lines))
    found = Trace(file)
    found.read()
    return found


def _statuses(text: str) -> list[dict[str, str]]:
    return [entry for line in text.splitlines() for entry in json.loads(line).get("statuses", [])]
