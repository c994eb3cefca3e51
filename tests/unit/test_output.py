"""`spec.output`: where the image goes."""

from __future__ import annotations

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
