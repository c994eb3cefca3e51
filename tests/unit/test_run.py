"""When a new run starts, and what never starts one."""

from __future__ import annotations

from typing import Any

import pytest

import make
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.names import ANNOTATION_REBUILD_AT
from imagebuild.api.status import ImageBuildStatus, Run, timestamp
from imagebuild.core.run import due, inputs_hash, next_request

HASH = inputs_hash(make.SPEC)


def built_once(spec: dict[str, Any] = make.SPEC, *, generation: int = 1, rebuild: float | None = None) -> ImageBuild:
    """A build whose first run was queued at second 10, for make.SPEC, at generation 1."""
    status = ImageBuildStatus(observed_generation=1, run=Run(number=1, inputs_hash=HASH), queued_at=make.at(10))
    annotations = {} if rebuild is None else {ANNOTATION_REBUILD_AT: timestamp(make.at(rebuild))}
    return make.make_build(spec, generation=generation, annotations=annotations, status=status)


def test_a_new_build_is_due_its_first_run() -> None:
    assert due(make.make_build(), (), make.START) == Run(number=1, inputs_hash=HASH)


@pytest.mark.parametrize(
    "field",
    [
        pytest.param({"source": {"git": {"url": "https://git.example.com/other.git"}}}, id="source"),
        pytest.param({"dockerfile": {"target": "test"}}, id="dockerfile"),
        pytest.param({"args": {"VERSION": "2"}}, id="args"),
        pytest.param({"output": {"discard": True}}, id="output"),
    ],
)
def test_a_changed_input_starts_a_run(field: dict[str, Any]) -> None:
    run = due(built_once({**make.SPEC, **field}, generation=2), (), make.at(60))
    assert (run.number, run.inputs_hash) == (2, inputs_hash({**make.SPEC, **field}))


@pytest.mark.parametrize(
    "field",
    [
        pytest.param({"cache": {"branch": {"export": "Never"}}}, id="cache"),
        pytest.param({"registrySecrets": [{"name": "other"}]}, id="registrySecrets"),
        pytest.param({"pod": {"resources": {"limits": {"memory": "8Gi"}}}}, id="pod"),
        pytest.param({"timeouts": {"build": "5m"}}, id="timeouts"),
        pytest.param({"fieldOfAnotherVersion": 1}, id="a field that this operator does not know"),
    ],
)
def test_a_neutral_field_never_starts_a_run(field: dict[str, Any]) -> None:
    assert due(built_once({**make.SPEC, **field}, generation=2), (), make.at(60)).number == 1


def test_the_order_in_which_inputs_are_written_says_nothing() -> None:
    assert inputs_hash({"a": 1, "b": {"c": 2, "d": 3}}) == inputs_hash({"b": {"d": 3, "c": 2}, "a": 1})


def test_another_way_to_hash_rebuilds_nothing_while_the_generation_stands_still() -> None:
    status = ImageBuildStatus(observed_generation=4, run=Run(number=3, inputs_hash="of an older operator"))
    assert due(make.make_build(generation=4, status=status), (), make.at(60)).number == 3


@pytest.mark.parametrize(
    ("rebuild", "now", "number"),
    [
        pytest.param(5, 60, 1, id="a time before the last run's start asks for nothing"),
        pytest.param(10, 60, 1, id="the very time of its start asks for nothing"),
        pytest.param(50, 60, 2, id="a time after it starts a run"),
        pytest.param(90, 60, 1, id="a time to come waits"),
        pytest.param(90, 90, 2, id="until it has come"),
    ],
)
def test_the_rebuild_annotation_starts_a_run_at_its_time(rebuild: float, now: float, number: int) -> None:
    assert due(built_once(rebuild=rebuild), (), make.at(now)).number == number


def test_one_annotation_starts_one_run() -> None:
    run = due(built_once(rebuild=50), (), make.at(60))
    status = ImageBuildStatus(observed_generation=1, run=run, queued_at=make.at(40))
    annotations = {ANNOTATION_REBUILD_AT: timestamp(make.at(50))}
    assert due(make.make_build(annotations=annotations, status=status), (), make.at(70)) == run


def test_a_pod_that_no_status_knows_is_the_newest_run_with_all_that_asked_for_it() -> None:
    """The operator died between creating the pod and writing the status."""
    at_50 = {ANNOTATION_REBUILD_AT: timestamp(make.at(50))}
    pod = make.make_pod(run=2, created=49, annotations=at_50)  # the API server's clock is behind
    assert due(built_once(rebuild=50), [pod], make.at(60)) == Run(number=2, inputs_hash=HASH, rebuild_at=make.at(50))


def test_an_input_that_changed_since_that_pod_starts_another_run() -> None:
    pod = make.make_pod(run=2, created=50)
    changed = built_once({**make.SPEC, "args": {"A": "1"}}, generation=2)
    assert due(changed, [pod], make.at(60)).number == 3


def test_pods_alone_are_enough_to_go_on_where_the_status_was_lost() -> None:
    pods = [make.make_pod(run=run, attempt=attempt) for run, attempt in ((1, 1), (2, 2), (2, 1))]
    assert due(make.make_build(), pods, make.at(60)) == Run(number=2, inputs_hash=HASH)


@pytest.mark.parametrize(("rebuild", "wanted"), [(None, None), (50, None), (90, 90)])
def test_a_rebuild_to_come_says_when_to_look_again(rebuild: float | None, wanted: float | None) -> None:
    expected = None if wanted is None else make.at(wanted)
    assert next_request(built_once(rebuild=rebuild), make.at(60)) == expected
