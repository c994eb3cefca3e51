"""What buildctl and BuildKit's store say of what was pushed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagebuild.runner.pushed import digest, platform

INDEX = "sha256:" + "cd" * 32
AMD: dict[str, Any] = {"platform": {"os": "linux", "architecture": "amd64"}}
ARM: dict[str, Any] = {"platform": {"os": "linux", "architecture": "arm", "variant": "v7"}}
DOCUMENTS: dict[str, Any] = {
    "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
    "platform": {"os": "unknown", "architecture": "unknown"},
}


def pushed(directory: Path, descriptor: dict[str, Any], index: object) -> tuple[Path, Path]:
    metadata, blobs = directory / "metadata.json", directory / "blobs"
    document = {"containerimage.digest": INDEX, "containerimage.descriptor": descriptor}
    metadata.write_text(json.dumps(document))
    (blobs / "sha256").mkdir(parents=True)
    if index is not None:
        (blobs / "sha256" / ("cd" * 32)).write_text(index if isinstance(index, str) else json.dumps(index))
    return metadata, blobs


@pytest.mark.parametrize(
    ("descriptor", "index", "wanted"),
    [
        pytest.param(ARM, None, "linux/arm/v7", id="of an image its descriptor says it"),
        pytest.param({}, {"manifests": [AMD, DOCUMENTS]}, "linux/amd64", id="of one with documents its index"),
        pytest.param({}, {"manifests": [AMD, DOCUMENTS, ARM]}, None, id="of two images there is no one platform"),
        pytest.param({}, {"manifests": [DOCUMENTS]}, None, id="documents are of none"),
        pytest.param({}, {"manifests": [{}]}, None, id="an image that does not say"),
        pytest.param({}, {"layers": []}, None, id="no index"),
        pytest.param({}, {"manifests": "x"}, None, id="an index that makes no sense"),
        pytest.param({}, "no JSON", None, id="one that cannot be read"),
        pytest.param({}, None, None, id="one that is not in the store"),
    ],
)
def test_the_platform_is_what_was_pushed(
    tmp_path: Path, descriptor: dict[str, Any], index: object, wanted: str | None
) -> None:
    metadata, blobs = pushed(tmp_path, descriptor, index)
    assert platform(metadata, blobs) == wanted
    assert digest(metadata) == INDEX


@pytest.mark.parametrize("text", ["", "[]", '{"containerimage.digest": 1}', "no JSON"])
def test_metadata_that_say_nothing_say_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "m").write_text(text)
    assert (digest(tmp_path / "m"), platform(tmp_path / "m", tmp_path)) == (None, None)
    assert digest(tmp_path / "missing") is None
