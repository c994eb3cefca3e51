"""The program of operator/images/builder/credentials, compiled here for images.py."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from localcluster import gobuild, oci
from localcluster.pins import REPOSITORY, Pins, digest
from localcluster.places import OPEN
from localcluster.work import say

SOURCE = REPOSITORY / "operator" / "images" / "builder" / "credentials"
NAME = "docker-credential"


def program(pins: Pins, cache: Path) -> Path:
    return gobuild.ours(pins, cache, NAME, SOURCE, "the credential helpers")


def image(pins: Pins, cache: Path, registry: str) -> str:
    """One with the program in its root, for the build argument CREDENTIALS; `registry` as this machine reaches it."""
    repository, tag = "imagebuild/credentials", _key()
    found = oci.resolve(registry, repository, tag)
    if not found:
        layout = cache / "standins" / f"credentials-{tag}"
        if not layout.exists():
            with tempfile.TemporaryDirectory() as scratch:
                shutil.copy2(program(pins, cache), Path(scratch) / NAME)
                oci.make(Path(scratch), layout, {})
        found = oci.push(layout, registry, repository, tag)
        say(f"credential helpers are in {OPEN}/{repository}:{tag}")
    return f"{OPEN}/{repository}:{tag}@{found}"


def _key() -> str:
    return digest(NAME, *sorted(SOURCE.iterdir()))
