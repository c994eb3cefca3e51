"""`spec.output`: where the image goes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.status import Run
from imagebuild.contract import plan
from imagebuild.core.output import output, repository

RUN = Run(number=7, inputs_hash="0123")


@pytest.mark.parametrize(
    ("written", "images"),
    [
        pytest.param({"discard": True}, (), id="discard: nothing is pushed"),
        pytest.param({"images": ["r.io/a:1", "r.io/a:2"]}, ("r.io/a:1", "r.io/a:2"), id="all names, in their order"),
        pytest.param({"images": ["r.io/a:{run}-{run}"]}, ("r.io/a:7-7",), id="{run} is filled here"),
        pytest.param(
            {"images": ["r.io/a:{branch}-{commit}"]}, ("r.io/a:{branch}-{commit}",), id="others by the runner"
        ),
    ],
)
def test_images_are_what_the_runner_pushes(written: dict[str, Any], images: tuple[str, ...]) -> None:
    part = output(ImageBuildSpec.model_validate({"output": written}), RUN)
    assert part.plan == {"output": plan.Output(images=images, inputs=RUN.inputs_hash if images else "")}


@pytest.mark.parametrize("written", plan.IfExists)
def test_the_runner_is_told_what_to_do_with_images_that_exist(written: plan.IfExists) -> None:
    spec = ImageBuildSpec.model_validate({"output": {"images": ["r.io/a:1"], "ifExists": written.value}})
    assert output(spec, RUN).plan["output"].if_exists is written
    assert [output(spec, RUN, retried=again).plan["output"].retried for again in (False, True)] == [False, True]


def test_a_rebuild_that_was_asked_for_is_no_image_from_before() -> None:
    spec = ImageBuildSpec.model_validate({"output": {"images": ["r.io/a:1"], "ifExists": "Reuse"}})
    asked = [None, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)]
    runs = [Run(number=2, inputs_hash="0123", rebuild_at=at) for at in asked]
    assert len({output(spec, run).plan["output"].inputs for run in runs}) == len(runs)
    again = [output(spec, run.model_copy(update={"number": 1})) for run in runs]
    assert again == [output(spec, run) for run in runs], "a cluster that is restored with the annotation builds nothing"


def test_labels_and_annotations_keep_every_byte() -> None:
    written = {
        "images": ["r.io/a:1"],
        "labels": {"b": 'x,"y"\n', "Team": "= $(X)"},
        "annotations": {"org.example.b": "a,b", "org.example.a": ""},
        "compression": {"type": "Estargz", "level": 3},
    }
    part = output(ImageBuildSpec.model_validate({"output": written}), RUN)
    assert part.plan["output"].labels == ("Team== $(X)", 'b=x,"y"\n')
    assert part.plan["output"].attributes == (
        "compression=estargz",
        "compression-level=3",
        "annotation.org.example.a=",
        "annotation.org.example.b=a,b",
    )


def test_an_annotation_of_an_image_with_attestations_is_on_its_index_too() -> None:
    written = {"images": ["r.io/a:1"], "annotations": {"a": "b"}}
    for more, wanted in (
        ({}, ("annotation.a=b",)),
        ({"provenance": "None", "sbom": False}, ("annotation.a=b",)),
        ({"provenance": "Min"}, ("annotation.a=b", "annotation-index.a=b")),
        ({"sbom": True}, ("annotation.a=b", "annotation-index.a=b")),
    ):
        part = output(ImageBuildSpec.model_validate({"output": {**written, **more}}), RUN)
        assert part.plan["output"].attributes == wanted


@pytest.mark.parametrize(
    ("written", "args", "of_commit"),
    [
        pytest.param(0, ("--opt", "build-arg:SOURCE_DATE_EPOCH=0"), False, id="a number"),
        pytest.param("1767225600", ("--opt", "build-arg:SOURCE_DATE_EPOCH=1767225600"), False, id="one in quotes"),
        pytest.param("Commit", (), True, id="of the commit, which the runner knows"),
    ],
)
def test_a_time_for_all_that_the_image_holds_is_told_to_frontend_and_exporter(
    written: int | str, args: tuple[str, ...], of_commit: bool
) -> None:
    spec = ImageBuildSpec.model_validate({"output": {"images": ["r.io/a:1"], "sourceDateEpoch": written}})
    part = output(spec, RUN)
    assert part.args == args
    assert part.plan["output"].commit_time is of_commit
    assert part.plan["output"].attributes == ("rewrite-timestamp=true",)


def test_what_is_not_kept_has_its_labels_all_the_same() -> None:
    """Else a build that was tried with discard would not be the one that is pushed later."""
    part = output(ImageBuildSpec.model_validate({"output": {"discard": True, "labels": {"a": "b"}}}), RUN)
    assert part.plan["output"] == plan.Output(labels=("a=b",))


def test_the_number_of_the_run_is_filled_here_and_all_else_by_the_runner() -> None:
    values = {"a": "{run} {commit} {x}"}
    written = {"images": ["r.io/a:1"], "labels": values, "annotations": values}
    wanted = part_of(written)
    assert wanted.labels == ("a=7 {commit} {x}",)
    assert wanted.attributes == ("annotation.a=7 {commit} {x}",)


def part_of(written: dict[str, Any]) -> plan.Output:
    return output(ImageBuildSpec.model_validate({"output": written}), RUN).plan["output"]


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        ("registry.example.com/app:1", "registry.example.com/app"),
        ("registry.example.com/app", "registry.example.com/app"),
        ("registry:5000/team/app:{branch}", "registry:5000/team/app"),
        ("registry:5000/app", "registry:5000/app"),
        ("app:1", "app"),
    ],
)
def test_the_repository_of_an_image_is_its_name_without_the_tag(image: str, wanted: str) -> None:
    assert repository(image) == wanted
