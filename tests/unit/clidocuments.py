"""ImageBuilds at each point of a life with two attempts, as the API server gives them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def build(version: int, *, uid: str = "u", annotations: dict[str, str] | None = None, **status: Any) -> dict[str, Any]:
    if "run" in status:
        status["run"] = {"number": status["run"]}
    metadata = {"name": "shop", "namespace": "n", "uid": uid, "generation": 1, "resourceVersion": str(version)}
    return {
        "metadata": {**metadata, "annotations": annotations or {}},
        "spec": {},
        "status": {"observedGeneration": 1, **status} if status else {},
    }


NEW = build(1)
QUEUED = build(2, phase="Pending", reason="Queued", run=1)
FIRST = build(3, phase="Running", reason="Building", run=1, attempt=1, podName="shop-1", podUID="p")
RETRYING = build(4, phase="Pending", reason="Retrying", run=1, attempt=1, podName="shop-1")
SECOND = build(5, phase="Running", reason="Building", run=1, attempt=2, podName="shop-2", podUID="q")
BUILT = build(6, phase="Succeeded", reason="Built", run=1, attempt=2, podName="shop-2")
