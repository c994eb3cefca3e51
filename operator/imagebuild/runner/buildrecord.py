"""The record of an attempt, for programs: what was built, from what, how it ended, and where the time went.

Only what is listed here is in it. Values of arguments, Dockerfiles and queries of URLs are not: people put secrets
there.
"""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from imagebuild import __version__
from imagebuild.contract.archive import Archive
from imagebuild.contract.codec import encode
from imagebuild.contract.plan import Context, Plan
from imagebuild.contract.result import BuildResult
from imagebuild.runner.build import TIMELINE
from imagebuild.runner.urls import bare

__all__ = ["record"]

_ARGUMENT = "build-arg:"


def record(plan: Plan, archive: Archive, result: BuildResult, report: Path, lines: int) -> dict[str, Any]:
    """`report`: the directory of the reports. `lines`: of the log."""
    return {
        "version": 1,
        "build": {key: getattr(archive, key) for key in ("namespace", "name", "run", "attempt")},
        "versions": {"imagebuild": __version__, "builder": archive.builder, "machine": platform.machine()},
        "inputs": {
            "source": _source(plan),
            "path": plan.path,
            "contexts": [{"name": each.name, **_source(each)} for each in plan.contexts],
            "dockerfile": {"path": plan.dockerfile.path, "inline": plan.dockerfile.inline is not None},
            "frontend": plan.dockerfile.frontend,
            "arguments": sorted({_name(word) for word in plan.args if word.startswith(_ARGUMENT)}),
            "platform": plan.platform,
            "images": list(plan.output.images),
            "cache": plan.cache.repository if plan.cache else None,
        },
        "result": encode(result),
        "timeline": _timeline(report / TIMELINE),
        "log": {"lines": lines},
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _source(given: Plan | Context) -> dict[str, Any]:
    """Where from, without a word on how one gets in."""
    if git := given.git:
        kept = {key: getattr(git, key) for key in ("branch", "ref", "commit") if getattr(git, key)}
        return {"git": {"url": bare(git.url), **kept}}
    if http := given.http:
        return {"http": {"url": bare(http.url), "checksum": http.checksum}}
    if oci := given.oci:
        return {"oci": {"image": oci.image}}
    mounts = {key: getattr(given, key, None) for key in ("volume", "directory")}
    return {key: mount.name for key, mount in mounts.items() if mount is not None}


def _name(word: str) -> str:
    return word.removeprefix(_ARGUMENT).partition("=")[0]


def _timeline(file: Path) -> Any:
    """None where BuildKit was not asked."""
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return None
