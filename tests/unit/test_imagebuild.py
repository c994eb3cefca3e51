"""An ImageBuild is parsed once; whatever the API server can hold becomes a value, never an exception."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

import make
from imagebuild.api.imagebuild import ImageBuild, parse
from imagebuild.api.names import ANNOTATION_REBUILD_AT
from imagebuild.api.status import ImageBuildStatus, Phase

OUTPUT = {"discard": True}


def spec(**fields: Any) -> ImageBuild:
    return make.make_build({"output": OUTPUT, **fields})


def test_the_shortest_useful_build_is_read() -> None:
    build = make.make_build()
    assert build.spec is not None
    assert build.spec.source is not None
    assert build.spec.source.git is not None
    assert build.spec.source.git.branch == "main"
    assert (build.namespace, build.name, build.problem, build.unknown_fields) == ("team-a", "shop", "", ())


def test_inputs_are_kept_exactly_as_written() -> None:
    written = {"output": {"images": ["r/a:1"], "futureField": {"deep": [1]}}, "args": {"B": "2", "A": "1"}}
    build = make.make_build({**written, "timeouts": {"build": "5m"}})
    assert build.inputs == written


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        pytest.param({}, "spec.output: Field required", id="no output"),
        pytest.param({"output": []}, "spec.output: Input should be", id="a list for an object"),
        pytest.param({"output": OUTPUT, "source": {"git": {}}}, "spec.source.git.url: Field required", id="no URL"),
        pytest.param({"output": OUTPUT, "timeouts": {"build": "1us"}}, "spec.timeouts.build: ", id="a bad time span"),
        pytest.param({"output": OUTPUT, "args": {"A": 1}}, "spec.args.A: Input should be a valid string", id="an arg"),
    ],
)
def test_a_spec_that_cannot_be_read_is_a_problem_that_names_the_field(written: dict[str, Any], problem: str) -> None:
    build = make.make_build(written)
    assert build.spec is None
    assert build.problem.startswith(problem)


@pytest.mark.parametrize(
    ("written", "where"),
    [
        pytest.param({"args": {"A": "a\0"}}, "spec.args.A", id="an argument"),
        pytest.param({"args": {"A\0": "a"}}, "spec.args", id="the name of one"),
        pytest.param({"dockerfile": {"inline": "FROM a\0"}}, "spec.dockerfile.inline", id="the Dockerfile"),
        pytest.param({"source": {"path": "\0"}}, "spec.source.path", id="a path"),
        pytest.param({"output": {"images": ["a", "r\0"]}}, "spec.output.images[1]", id="an image"),
        pytest.param({"future": {"deep": ["\0"]}}, "spec.future.deep[0]", id="a field nobody knows yet"),
    ],
)
def test_a_nul_character_anywhere_is_a_problem_that_names_the_field(written: dict[str, Any], where: str) -> None:
    build = make.make_build({"output": OUTPUT, **written})
    assert (build.spec, build.problem.partition(": ")[0]) == (None, where)
    assert "\0" not in build.problem


@pytest.mark.parametrize(
    ("fields", "unknown"),
    [
        pytest.param({"pause": True}, ["spec.pause"], id="at the top"),
        pytest.param({"source": {"git": {"url": "u", "lfs": True}}}, ["spec.source.git.lfs"], id="two levels down"),
        pytest.param({"source": {"svn": {"image": "i"}}}, ["spec.source.svn"], id="with all that is in it"),
        pytest.param(
            {"contexts": [{"name": "a", "path": "a"}, {"name": "b", "svn": {}}]},
            ["spec.contexts[1].svn"],
            id="in a list",
        ),
        pytest.param({"cache": {"export": [{"gha": {}}]}}, ["spec.cache.export[0].gha"], id="in a list further down"),
        pytest.param({"cache": {"branch": {"import": "Both"}}}, [], id="an alias is known"),
        pytest.param({"args": {"anything": "x"}}, [], id="the keys of a map are the user's"),
    ],
)
def test_fields_of_a_newer_crd_are_found_by_path(fields: dict[str, Any], unknown: list[str]) -> None:
    assert list(spec(**fields).unknown_fields) == unknown


@pytest.mark.parametrize(
    "quantity", [pytest.param("4", id="as text"), pytest.param(4, id="as a number, which the schema allows")]
)
def test_a_quantity_is_text(quantity: Any) -> None:
    build = spec(pod={"resources": {"limits": {"cpu": quantity}}})
    assert build.spec is not None
    assert build.spec.pod is not None
    assert build.spec.pod.resources is not None
    assert build.spec.pod.resources.limits == {"cpu": "4"}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("2026-01-01T12:00:00Z", make.START, id="UTC"),
        pytest.param("2026-01-01T14:00:00+02:00", make.START, id="another zone is the same moment"),
        pytest.param("2026-01-01T12:00:00.75Z", datetime(2026, 1, 1, 12, 0, 0, 750000, UTC), id="parts of a second"),
        pytest.param("2026-01-01T12:00:00", None, id="no zone asks for nothing"),
        pytest.param("now", None, id="no time asks for nothing"),
        pytest.param("", None, id="nothing asks for nothing"),
        pytest.param("0001-01-01T00:00:00+05:00", None, id="before the beginning of time"),
    ],
)
def test_the_rebuild_annotation_is_a_moment_in_utc_or_nothing(text: str, moment: datetime | None) -> None:
    build = make.make_build(annotations={ANNOTATION_REBUILD_AT: text})
    assert build.rebuild_at == moment
    assert moment is None or (build.rebuild_at is not None and build.rebuild_at.tzinfo is UTC)


@pytest.mark.parametrize(
    ("phase", "finished"),
    [(None, False), (Phase.PENDING, False), (Phase.RUNNING, False), (Phase.SUCCEEDED, True), (Phase.FAILED, True)],
)
def test_a_build_is_finished_in_a_terminal_phase(phase: Phase | None, finished: bool) -> None:
    assert make.make_build(status=ImageBuildStatus(phase=phase)).finished is finished


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"phase": "Paused"}, id="a phase of another version"),
        pytest.param({"run": "seven"}, id="another shape"),
        pytest.param(None, id="none"),
    ],
)
def test_a_status_that_cannot_be_read_is_as_none(status: Any) -> None:
    assert parse({**make.build_document(), "status": status}).status == ImageBuildStatus()


@pytest.mark.parametrize(
    "newer",
    [
        pytest.param({"reason": "BuiltBetter"}, id="a reason"),
        pytest.param({"history": [{"run": 1, "phase": "Failed", "reason": "WordOfTomorrow"}]}, id="a run before"),
        pytest.param({"cache": {"cached": "all"}}, id="another shape"),
    ],
)
def test_what_a_newer_version_says_of_a_run_hides_nothing_else_of_it(newer: dict[str, Any]) -> None:
    known = {"phase": "Succeeded", "run": {"number": 2, "inputsHash": "0123456789abcdef"}}
    build = parse({**make.build_document(), "status": {**known, **newer}})
    assert build.unread
    assert build.status == ImageBuildStatus.model_validate(known)


def test_a_build_that_is_being_deleted_says_so() -> None:
    assert make.make_build(deleting=True).deleting
