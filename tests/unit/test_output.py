"""`spec.output`: where the image goes."""

from __future__ import annotations

from typing import Any

import pytest

from imagebuild.api.spec import ImageBuildSpec
from imagebuild.contract import plan
from imagebuild.core.output import output, repository


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
    part = output(ImageBuildSpec.model_validate({"output": written}), run=7)
    assert part.plan == {"output": plan.Output(images=images)}


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
