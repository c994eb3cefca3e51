"""Failures of what is neither a step nor BuildKit: the image that reads the Dockerfile, and the SBOM scanner's.

BuildKit runs both like steps, and says no more of them than of a step: without this a RUN line would be blamed.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from imagebuild.contract.plan import Plan
from imagebuild.contract.reasons import Reason
from imagebuild.runner.diagnose import Diagnosis
from imagebuild.runner.frontend import ignored
from imagebuild.runner.trace import Vertex

__all__ = ["blame"]

_GENERATOR = "attest:sbom=generator="
_SCANS = re.compile(r"^\[[^\]]*\] generating sbom using ")
_LOOKS = "resolve image config for docker-image://"
_NOT_PULLED = {
    Reason.IMAGE_NOT_FOUND,
    Reason.REGISTRY_UNAUTHORIZED,
    Reason.REGISTRY_DENIED,
    Reason.REPOSITORY_NOT_FOUND,
}
_NO_SCANNER = re.compile(r"^scanner \S+ does not have cmd$|^cannot decode in-toto statement: ")
_FRONTEND_ENDED = re.compile(
    r"^(?:failed with build-arg:BUILDKIT_SYNTAX = .*: )?(exit code: \d+|frontend grpc server closed unexpectedly)$"
)


def blame(found: Diagnosis, vertex: Vertex | None, error: str, plan: Plan, dockerfile: Path) -> Diagnosis:
    """`found`: what it would be of a step. `error`: what buildctl said at its end. `dockerfile`: the file."""
    scanner = next((word.removeprefix(_GENERATOR) for word in plan.args if word.startswith(_GENERATOR)), "")
    if scanner and (told := _of_scanner(found, vertex, error, scanner)):
        return replace(found, reason=Reason.SBOM_SCANNER_FAILED, message=told)
    if vertex is None and (ended := _FRONTEND_ENDED.match(error)):
        image = plan.dockerfile.frontend or "the image of the syntax= line or of BUILDKIT_SYNTAX"
        return replace(found, reason=Reason.FRONTEND_FAILED, message=f"{image}: {ended[1]}")
    if found.reason is Reason.DOCKERFILE_INVALID and (image := ignored(plan, dockerfile)):
        why = f"it asks for {image}, but the administrator has BuildKit's own frontend read all (frontends.allowed: [])"
        return replace(found, message=f"{found.message}; {why}")
    return found


def _of_scanner(found: Diagnosis, vertex: Vertex | None, error: str, scanner: str) -> str:
    """What it failed of; empty where it has not. A registry that is away is no fault of it."""
    name = vertex.name if vertex is not None else ""
    if found.reason is Reason.STEP_FAILED and _SCANS.match(name):
        return found.message
    if found.reason in _NOT_PULLED and name.startswith(_LOOKS) and scanner in name:
        return f"{scanner} cannot be pulled: {found.message}"
    told = vertex.error if vertex is not None else error
    if not (vertex is not None and vertex.step) and _NO_SCANNER.match(told):
        return f"{scanner}: {found.message}"
    return ""
