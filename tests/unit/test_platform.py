"""`spec.platforms`: what BuildKit is to build for, and the nodes that can."""

from __future__ import annotations

from typing import Any

import pytest

from imagebuild.api.spec import INPUTS, ImageBuildSpec
from imagebuild.core.part import Part
from imagebuild.core.platform import node_selector, platform


def spec(**fields: Any) -> ImageBuildSpec:
    return ImageBuildSpec.model_validate({"output": {"discard": True}, **fields})


def test_buildkit_builds_for_it_and_the_runner_checks_it() -> None:
    part = platform(spec(platforms=["linux/arm/v7"]))
    assert (part.args, part.plan) == (("--opt", "platform=linux/arm/v7"), {"platform": "linux/arm/v7"})
    assert platform(spec()) == Part()


@pytest.mark.parametrize(
    ("fields", "selector"),
    [
        pytest.param({}, {}, id="any node"),
        pytest.param(
            {"platforms": ["linux/arm/v7"]}, {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm"}, id="its own"
        ),
        pytest.param(
            {"platforms": ["linux/arm64"], "pod": {"nodeSelector": {"disk": "fast"}}},
            {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64", "disk": "fast"},
            id="its own among those of the user",
        ),
        pytest.param(
            {"platforms": ["linux/arm64"], "pod": {"nodeSelector": {"kubernetes.io/arch": "amd64"}}},
            {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
            id="the user's, who cross-compiles",
        ),
    ],
)
def test_the_build_runs_on_a_node_of_it(fields: dict[str, Any], selector: dict[str, str]) -> None:
    assert node_selector(spec(**fields)) == selector


def test_another_platform_is_another_image() -> None:
    assert "platforms" in INPUTS
