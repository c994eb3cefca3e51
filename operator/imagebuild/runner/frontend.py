"""What reads the Dockerfile: the image that the spec or its `# syntax=` line names, or BuildKit's own frontend.

`cmdline` is what BuildKit itself gives a frontend that it has chosen by such a line. A Dockerfile frontend that has it,
also without a value, looks at neither the line nor BUILDKIT_SYNTAX. Nothing of a user's becomes an option of this name.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from imagebuild.contract.plan import Plan

__all__ = ["configuration", "ignored", "options"]

_ARGUMENT = "build-arg:BUILDKIT_SYNTAX="
_HEAD = 4096
_LINE = re.compile(
    r"(?:#!.*\n)?(?:(?:#|//)[ \t]*\w+[ \t]*=.*\n)*?(?:#|//)[ \t]*syntax[ \t]*=[ \t]*(\S+)", re.IGNORECASE
)
"""Among the directives, which are the first lines."""


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


def ignored(plan: Plan, file: Path) -> str:
    """Of a Dockerfile that BuildKit's own could not read: the image that its line, or BUILDKIT_SYNTAX, asks for in
    vain. Empty where there is none, or where another frontend was allowed to read it."""
    if plan.frontends != ():
        return ""
    argument = next((word for word in plan.args if word.startswith(_ARGUMENT)), "").removeprefix(_ARGUMENT)
    with contextlib.suppress(OSError), file.open(errors="replace") as text:
        found = _LINE.match(text.read(_HEAD))
        return argument or (found[1] if found else "")
    return argument
