"""What is in an image, by syft: Debian and Python packages, and the modules that each Go program says it is made of."""

from __future__ import annotations

from pathlib import Path

from localcluster import gobuild
from localcluster.pins import Pins
from localcluster.places import Places
from localcluster.work import run
from supply.publish import Published, plain_http


def write(pins: Pins, where: Places, image: Published, version: str, file: Path) -> None:
    """As SPDX 2.3. Its name and time are new each time; what it lists is not."""
    environment = {
        "SYFT_CHECK_FOR_APP_UPDATE": "false",
        "SYFT_REGISTRY_INSECURE_USE_HTTP": "true" if plain_http(image.repository) else "false",
    }
    run(
        *(gobuild.binary(pins, where.cache, "syft"), "scan", "--quiet", "--from", "registry", image.name),
        *("--source-name", image.repository, "--source-version", version, "--output", f"spdx-json={file}"),
        env=environment,
        timeout=900,
    )
