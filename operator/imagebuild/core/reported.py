"""What a pod has reported, as parts of a status. It is untrusted: what is taken over is of its form, and bounded."""

from __future__ import annotations

import re

from imagebuild.api.status import (
    ArchiveStatus,
    CacheExportStatus,
    CacheImportStatus,
    CacheStatus,
    FailureStatus,
    SourceStatus,
)
from imagebuild.contract.archive import ERROR_LENGTH
from imagebuild.contract.reasons import Fault, Reason
from imagebuild.contract.result import BuildResult, Details
from imagebuild.core.observe import Observation

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NOT_ARCHIVED = "the log was not archived: the pod was ended before it could be, and has the log as long as it is there"


def source(pod: Observation | None) -> SourceStatus | None:
    """What the pod fetched. The next attempt asks for this commit, so it has to be one."""
    said = pod.result.essentials if pod and pod.result else None
    if said is None or not _COMMIT.fullmatch(said.commit or ""):
        return None
    return SourceStatus(commit=said.commit, branch=said.branch)


def outcome(result: BuildResult) -> str:
    details = result.details
    reused = (
        f"; {details.steps_cached} of {details.steps_total} steps came from the cache" if details.steps_total else ""
    )
    warning = f"; the cache was not written: {details.export_error}" if details.export_error else ""
    if result.essentials.reason is Reason.ALREADY_BUILT:
        return Reason.ALREADY_BUILT.row.sentence
    made = "Built and pushed" if result.essentials.digest else "Built, nothing kept"
    cut = f"; the names of {details.images_cut} more images did not fit in here" if details.images_cut else ""
    return f"{made}{reused}{warning}{cut}."


def cache(details: Details) -> CacheStatus:
    export = details.export_ref
    return CacheStatus(
        cached=details.steps_cached,
        total=details.steps_total,
        summary=f"{details.steps_cached}/{details.steps_total}",
        imports=tuple(CacheImportStatus(ref=entry.ref, result=entry.found) for entry in details.imports[:4]),
        export=CacheExportStatus(ref=export, error=details.export_error or None) if export else None,
    )


def failure(reason: Reason, message: str, details: Details) -> FailureStatus:
    seen = details.failure
    return FailureStatus(
        reason=reason,
        message=message,
        step=seen.step if seen else None,
        line=seen.line if seen else None,
        exit_code=seen.exit_code if seen else None,
        log_tail=(seen.log_tail or None) if seen else None,
        next_step=reason.row.next_step or None,
    )


def archive(pod: Observation) -> ArchiveStatus | None:
    """Where its log is now. The repository is the operator's own word; the pod's is a digest, or why there is none."""
    if not pod.archive or pod.started_at is None:
        return None
    details = pod.result.details if pod.result else Details()
    if _DIGEST.fullmatch(details.archive or ""):
        return ArchiveStatus(image=f"{pod.archive}@{details.archive}")
    if pod.reason.row.fault is Fault.WAITING:
        return None  # of an attempt that only found something missing there is nothing to keep
    return ArchiveStatus(error=details.archive_error[:ERROR_LENGTH] or _NOT_ARCHIVED)
