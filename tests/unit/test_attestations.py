"""`output.provenance` and `output.sbom`: asked for where there is an image to put them beside."""

from __future__ import annotations

from typing import Any

import pytest

import make
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.core.attestations import attestations, attested, missing_scanner

IMAGES = {"images": ["r.io/a:1"]}
MAX, MIN = ("--opt", "attest:provenance=mode=max"), ("--opt", "attest:provenance=mode=min")
SBOM = ("--opt", "attest:sbom=generator=r.io/scan:1")


def spec(**output: Any) -> ImageBuildSpec:
    return ImageBuildSpec.model_validate({"output": output})


@pytest.mark.parametrize(
    ("output", "args"),
    [
        pytest.param(IMAGES, (), id="by default none"),
        pytest.param({**IMAGES, "provenance": "None", "sbom": False}, (), id="none said"),
        pytest.param({**IMAGES, "provenance": "Min"}, MIN, id="the least"),
        pytest.param({**IMAGES, "provenance": "Max", "sbom": True}, (*MAX, *SBOM), id="both"),
        pytest.param({**IMAGES, "sbom": True}, SBOM, id="the administrator's scanner"),
        pytest.param({"discard": True, "provenance": "Max", "sbom": True}, (), id="nothing is kept"),
    ],
)
def test_buildkit_is_asked_for_them(output: dict[str, Any], args: tuple[str, ...]) -> None:
    given = spec(**output)
    assert attestations(given, make.make_config(sbomScanner="r.io/scan:1")).args == args
    assert attested(given.output) == bool(args)


def test_an_sbom_without_a_scanner_is_refused() -> None:
    said = "output.sbom: the operator's configuration names no image that makes one (sbomScanner)"
    assert missing_scanner(spec(**IMAGES, sbom=True), make.make_config()) == said
    assert missing_scanner(spec(**IMAGES, sbom=True), make.make_config(sbomScanner="r.io/scan:1")) == ""
    assert missing_scanner(spec(**IMAGES, provenance="Max"), make.make_config()) == ""
