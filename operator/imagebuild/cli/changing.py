"""What `cancel`, `rebuild`, `suspend` and `resume` write into an ImageBuild: merge patches. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from imagebuild.api.names import ANNOTATION_CANCEL, ANNOTATION_REBUILD_AT

__all__ = ["cancel", "rebuild", "suspend"]


def cancel(run: int) -> dict[str, Any]:
    return _annotation(ANNOTATION_CANCEL, str(run))


def rebuild(moment: datetime) -> dict[str, Any]:
    return _annotation(ANNOTATION_REBUILD_AT, moment.isoformat().replace("+00:00", "Z"))


def suspend(*, suspended: bool) -> dict[str, Any]:
    return {"spec": {"suspend": suspended}}


def _annotation(name: str, value: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {name: value}}}
