"""`spec.platforms`: what BuildKit made is held against what was asked for. The programs of `Pod` make linux/arm64/v8."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imagebuild.contract.plan import Dockerfile, Output, Plan
from imagebuild.contract.reasons import Reason
from runner.pod import DIGEST, Pod

INLINE = Plan(dockerfile=Dockerfile(inline="FROM scratch\n"), output=Output(images=("r.io/a:1",)))


@pytest.mark.parametrize("asked", ["linux/arm64", "linux/arm64/v8"])
def test_an_image_of_the_platform_that_was_asked_for_is_good(pod: Pod, asked: str) -> None:
    found, _, _ = pod.run(replace(INLINE, platform=asked))
    assert found.essentials.reason is Reason.BUILT


@pytest.mark.parametrize("asked", ["linux/amd64", "linux/arm64/v9", "linux/arm"])
def test_an_image_of_another_platform_than_was_asked_for_fails_and_says_what_was_pushed(pod: Pod, asked: str) -> None:
    found, _, code = pod.run(replace(INLINE, platform=asked))
    assert (found.essentials.reason, found.essentials.digest, code) == (Reason.PLATFORM_MISMATCH, None, 1)
    assert found.essentials.message == (
        f"the image is of linux/arm64/v8, not of {asked}; it was pushed as r.io/a:1, {DIGEST}"
    )
