"""The result: what the runner reports through the container's termination message, and how the operator reads it.

The kubelet cuts messages, so the document is two lines of JSON with the essentials first: a cut second line costs
details only. RUN steps share the pod, so what the operator reads is untrusted: sizes are bounded, unknown keys ignored,
and what a status cannot hold is not taken over.
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from enum import StrEnum

from imagebuild.contract.codec import decode, encode
from imagebuild.contract.reasons import Reason

__all__ = ["LIMIT", "BuildResult", "CacheRef", "Details", "Essentials", "Failure", "LookUp", "Timings", "dump", "parse"]

LIMIT = 2048
"""Bytes. The kubelet keeps 4,096 per container and 12 KiB per pod, which injected sidecars share."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REFERENCE = re.compile(r"[\w\[][\w.:/@\[\]-]*", re.ASCII)


class LookUp(StrEnum):
    """What the look for a cache ref found before the build."""

    FOUND = "Found"
    NOT_FOUND = "NotFound"
    UNAUTHORIZED = "Unauthorized"
    TIMEOUT = "Timeout"
    ERROR = "Error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Essentials:
    reason: Reason
    message: str = ""
    """One sentence about this build; the general one is in the table of reasons."""
    digest: str | None = None
    """Of what was pushed: sha256:…. Present means pushed, whatever else happened."""
    commit: str | None = None
    branch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    step: str | None = None
    """As BuildKit names it: `[build 3/7] RUN make`."""
    line: int | None = None
    """In the Dockerfile."""
    exit_code: int | None = None
    log_tail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRef:
    ref: str
    found: LookUp


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds. `total` is from the runner's start to its end; fetch and daemon run side by side."""

    fetch: float = 0.0
    daemon: float = 0.0
    solve: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    images: tuple[str, ...] = ()
    """The references pushed, placeholders filled."""
    images_cut: int = 0
    """How many more of them there are than fit into the result."""
    platform: str | None = None
    steps_total: int = 0
    """Steps of the Dockerfile that could come from cache (no FROM, no internal ones)."""
    steps_cached: int = 0
    imports: tuple[CacheRef, ...] = ()
    export_ref: str | None = None
    export_error: str = ""
    """Why the cache was not written; the build succeeded all the same."""
    timings: Timings = Timings()
    archive: str | None = None
    """The digest of the artifact with the log: sha256:…."""
    archive_error: str = ""
    """Why there is none, and what to do."""
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    essentials: Essentials
    details: Details = Details()


def dump(result: BuildResult) -> str:
    """Two lines of JSON, LIMIT bytes at most: what explains least goes first."""
    for smaller in _ever_smaller(result):
        text = _line(smaller.essentials) + "\n" + _line(smaller.details)
        if len(text.encode()) <= LIMIT:
            return text
    return _line(dataclasses.replace(result.essentials, message="", branch=None))


def parse(text: str) -> BuildResult | None:
    """What the message says; None where it says nothing that can be read. A cut message loses its details only. Lines
    after the second are others' (contract/probe.py)."""
    first, _, rest = text.partition("\n")
    try:
        essentials = decode(Essentials, _known_reason(json.loads(first)))
    except (ValueError, RecursionError):
        return None
    try:
        details = decode(Details, json.loads(rest.partition("\n")[0]))
    except (ValueError, RecursionError):
        details = Details()
    return _of_its_form(essentials, details)


def _of_its_form(essentials: Essentials, details: Details) -> BuildResult:
    """Without a digest and without images that are none: others deploy what they name."""
    digest = essentials.digest if _DIGEST.fullmatch(essentials.digest or "") else None
    images = tuple(image for image in details.images if _REFERENCE.fullmatch(image))
    return BuildResult(
        essentials=dataclasses.replace(essentials, digest=digest), details=dataclasses.replace(details, images=images)
    )


def _known_reason(document: object) -> object:
    if isinstance(document, dict) and document.get("reason") not in list(Reason):
        return {**document, "reason": Reason.UNKNOWN.value}
    return document


def _ever_smaller(result: BuildResult) -> list[BuildResult]:
    """The result with less and less of: log tail, message, cache refs, images."""
    steps = [result]
    if (failure := result.details.failure) is not None:
        for size in (1000, 600, 300, 100, 0):
            tail = failure.log_tail[-size:] if size else ""
            cut = dataclasses.replace(failure, log_tail=tail, step=(failure.step or "")[:200] or None)
            steps.append(_with_details(steps[-1], failure=cut))
    essentials = dataclasses.replace(result.essentials, message=result.essentials.message[:300])
    steps.append(dataclasses.replace(steps[-1], essentials=essentials))
    shorter = {key: getattr(result.details, key)[:100] for key in ("export_error", "archive_error")}
    steps.append(_with_details(steps[-1], **shorter))
    steps.append(_with_details(steps[-1], imports=(), export_ref=None))
    images = result.details.images
    for kept in (3, 0):
        steps.append(_with_details(steps[-1], images=images[:kept], images_cut=len(images[kept:])))
    bare = Details(timings=result.details.timings, images_cut=len(images), archive=result.details.archive)
    return [*steps, dataclasses.replace(steps[-1], details=bare)]


def _with_details(result: BuildResult, **changes: object) -> BuildResult:
    return dataclasses.replace(result, details=dataclasses.replace(result.details, **changes))  # type: ignore[arg-type]


def _line(part: Essentials | Details) -> str:
    text = json.dumps(encode(part), separators=(",", ":"), ensure_ascii=False)
    return text.encode(errors="replace").decode()  # names of files need not be text
