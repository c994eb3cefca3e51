"""What reads the Dockerfile: the image that the spec or its `# syntax=` line names, or BuildKit's own frontend.

`cmdline` is what BuildKit itself gives a frontend that it has chosen by such a line. A Dockerfile frontend that has it,
also without a value, looks at neither the line nor BUILDKIT_SYNTAX. Nothing of a user's becomes an option of this name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from imagebuild.contract.plan import Plan

__all__ = ["configuration", "options"]


def options(plan: Plan) -> list[str]:
    """Of buildctl."""
    if image := plan.dockerfile.frontend:
        return ["--frontend=gateway.v0", "--opt", f"source={image}", "--opt", f"cmdline={image}"]
    chosen = ["--opt", "cmdline="] if plan.frontends == () else []
    return ["--frontend=dockerfile.v0", *chosen]


def configuration(allowed: tuple[str, ...] | None) -> Iterator[str]:
    """Lines of buildkitd.toml. Where none is allowed, there is nothing that could run one."""
    if allowed is None:
        return
    yield '[frontend."gateway.v0"]'
    yield f"  allowedRepositories = {json.dumps(allowed)}" if allowed else "  enabled = false"
