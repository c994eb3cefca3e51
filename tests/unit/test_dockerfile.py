"""`spec.dockerfile` and `spec.args`: which Dockerfile, which stage, and arguments byte for byte."""

from __future__ import annotations

from typing import Any

import pytest

from imagebuild.api.spec import ImageBuildSpec
from imagebuild.contract import plan
from imagebuild.core.dockerfile import build_args, dockerfile


def spec(**fields: Any) -> ImageBuildSpec:
    return ImageBuildSpec.model_validate({"output": {"discard": True}, **fields})


@pytest.mark.parametrize(
    ("written", "wanted", "args"),
    [
        pytest.param({}, plan.Dockerfile(path="Dockerfile"), (), id="Dockerfile is the default"),
        pytest.param({"path": "build/app.df"}, plan.Dockerfile(path="build/app.df"), (), id="another path"),
        pytest.param({"inline": "FROM a\n"}, plan.Dockerfile(inline="FROM a\n"), (), id="inline, with its line ends"),
        pytest.param({"frontend": "r.io/f:1"}, plan.Dockerfile(frontend="r.io/f:1"), (), id="read by an image"),
        pytest.param({"target": "test"}, plan.Dockerfile(), ("--opt", "target=test"), id="a stage"),
    ],
)
def test_a_dockerfile_is_named_given_and_cut_at_a_stage(
    written: dict[str, str], wanted: plan.Dockerfile, args: tuple[str, ...]
) -> None:
    part = dockerfile(spec(dockerfile=written))
    assert (part.plan, part.args) == ({"dockerfile": wanted}, args)


def test_without_a_dockerfile_nothing_is_said() -> None:
    assert dockerfile(spec()).plan == {}


def test_arguments_keep_every_byte_and_come_in_a_fixed_order() -> None:
    part = build_args(spec(args={"B": "$(A) 'x' \"y\"\n=,ü", "A": ""}))
    assert part.args == ("--opt", "build-arg:A=", "--opt", "build-arg:B=$(A) 'x' \"y\"\n=,ü")
