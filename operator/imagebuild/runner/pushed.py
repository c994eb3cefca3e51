"""What BuildKit says it has made: the metadata file of buildctl, and the index in BuildKit's own store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["digest", "platform"]


def digest(metadata: Path) -> str | None:
    found = _document(metadata).get("containerimage.digest")
    return found if isinstance(found, str) else None


def platform(metadata: Path, blobs: Path) -> str | None:
    """Of an image with documents beside it the metadata does not say: it is in the index that was pushed.

    Of an index with images of several platforms it is none of them. `blobs`: of BuildKit's content store.
    """
    document = _document(metadata)
    if found := _named(_mapping(document.get("containerimage.descriptor"))):
        return found
    algorithm, _, hexadecimal = str(document.get("containerimage.digest")).partition(":")
    manifests = _document(blobs / algorithm / hexadecimal).get("manifests")
    parts = [_mapping(entry) for entry in manifests] if isinstance(manifests, list) else []
    images = {_named(part) for part in parts if "vnd.docker.reference.type" not in _mapping(part.get("annotations"))}
    return images.pop() if len(images) == 1 else None


def _named(descriptor: dict[str, Any]) -> str | None:
    given = _mapping(descriptor.get("platform"))
    parts = (given.get(key) for key in ("os", "architecture", "variant"))
    return "/".join(part for part in parts if isinstance(part, str) and part) or None


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _document(file: Path) -> dict[str, Any]:
    try:
        return _mapping(json.loads(file.read_text()))
    except (OSError, ValueError):
        return {}
