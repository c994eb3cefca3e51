"""`spec.platforms`: what the Dockerfile starts from is held against what was asked for."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from imagebuild.contract.plan import Dockerfile, Output, Plan
from imagebuild.contract.reasons import Reason
from runner.pod import DIGEST, STEP, SUCCESS, Pod

INLINE = Plan(dockerfile=Dockerfile(inline="FROM scratch\n"), output=Output(images=("127.0.0.1:1/a:1",)))
SAID = 'Base image 127.0.0.1:1/base was pulled with platform "linux/amd64", expected "linux/arm64" for current build'


def warning(text: str) -> dict[str, object]:
    return {"warnings": [{"vertex": STEP, "level": 1, "short": base64.b64encode(text.encode()).decode()}]}


def test_an_image_that_starts_from_one_of_another_platform_fails_and_says_what_was_pushed(pod: Pod) -> None:
    pod.behave(calls=[{**SUCCESS, "trace": [*SUCCESS["trace"], warning(f"InvalidBaseImagePlatform: {SAID}")]}])
    found, _, code = pod.run(replace(INLINE, platform="linux/arm64"))
    assert (found.essentials.reason, found.essentials.digest, code) == (Reason.PLATFORM_MISMATCH, None, 1)
    assert found.essentials.message == f"{SAID}; it was pushed as 127.0.0.1:1/a:1, {DIGEST}"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param("linux/arm64", "JSONArgsRecommended: JSON arguments recommended", id="another warning"),
        pytest.param(None, f"InvalidBaseImagePlatform: {SAID}", id="no platform was asked for"),
        pytest.param("linux/arm64", None, id="no warning"),
    ],
)
def test_any_other_image_is_good(pod: Pod, asked: str | None, said: str | None) -> None:
    pod.behave(calls=[{**SUCCESS, "trace": [*SUCCESS["trace"], *([warning(said)] if said else [])]}])
    found, _, _ = pod.run(replace(INLINE, platform=asked))
    assert found.essentials.reason is Reason.BUILT
