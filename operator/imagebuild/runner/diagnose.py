"""Why a build failed: what BuildKit says of the vertex that failed, as a Reason. One table, no I/O.

| looked at, in this order               | because                                                 |
|----------------------------------------|---------------------------------------------------------|
| the vertex that failed, from the trace | a RUN step cannot write there                           |
| the last `error:` line of buildctl     | what fails before any vertex is named nowhere else      |

The text of a RUN step's error is BuildKit's own (`process … did not complete successfully: exit code: N`), but it
quotes the command, so for RUN steps only that form counts, never a word in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import Failure
from imagebuild.runner.trace import Vertex

__all__ = ["Diagnosis", "diagnose", "last_error", "line_number"]

_EXIT_CODE = re.compile(r"^process \".*\" did not complete successfully: exit code: (\d+)$", re.DOTALL)
_KILLED = 137
_TAIL_LINES = 20

_TABLE = (
    (Reason.CACHE_LOST, ("could not fetch content descriptor", "httpReadSeeker")),
    (Reason.DISK_FULL, ("no space left on device",)),
    (Reason.TLS_FAILED, ("x509:", "tls: ")),
    (
        Reason.FILE_NOT_FOUND,
        (
            "failed to read dockerfile: open",
            r"failed to (calculate checksum|compute cache key).*not found",
            "lstat .*no such file",
        ),
    ),
    (
        Reason.DOCKERFILE_INVALID,
        (
            "dockerfile parse error",
            "target stage .* could not be found",
            "failed to parse stage name",
            "invalid reference format",
            "base name .* should not be blank",
            "circular dependency",
            "file with no instructions",
            "the Dockerfile cannot be empty",
            "no build stage in current context",
        ),
    ),
    (
        Reason.REGISTRY_UNAUTHORIZED,
        (
            "401 Unauthorized",
            "failed to authorize",
            r"failed to fetch (oauth|anonymous) token",
            "authorization failed",
            "authentication required",
            "no basic auth credentials",
        ),
    ),
    (Reason.REGISTRY_DENIED, ("403 Forbidden", r"\bdenied\b", "insufficient_scope")),
    (
        Reason.REGISTRY_UNAVAILABLE,
        (
            "429 Too Many",
            "toomanyrequests",
            r"\b5\d\d [A-Z][a-z]+",
            "i/o timeout",
            "connection refused",
            "connection reset",
            "no such host",
            "deadline exceeded",
            "TLS handshake timeout",
            "network is unreachable",
            "no route to host",
            "server misbehaving",
            "unexpected EOF",
        ),
    ),
    (Reason.IMAGE_NOT_FOUND, (": not found$", "manifest unknown", "NAME_UNKNOWN", "name unknown")),
    (Reason.DAEMON_DIED, ("code = Unavailable", "failed to receive status")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    reason: Reason
    message: str
    failure: Failure


def diagnose(vertex: Vertex | None, error: str, line: int | None, *, out_of_memory: bool) -> Diagnosis:
    """`error` and `line` are what buildctl said at its end; `out_of_memory`: the kernel killed a process for it."""
    cause = vertex.error if vertex is not None else error
    ended = _EXIT_CODE.match(cause)
    code = int(ended[1]) if ended else None
    failure = Failure(
        step=vertex.name if vertex is not None else None,
        line=line,
        exit_code=code,
        log_tail="\n".join(list(vertex.log)[-_TAIL_LINES:]) if vertex is not None else "",
    )
    if vertex is not None and code is not None:
        reason, message = _step(vertex, code, out_of_memory=out_of_memory)
    else:
        reason = next((reason for reason, signs in _TABLE if _matches(cause, signs)), Reason.UNKNOWN)
        message = _short(cause) or "BuildKit gave no reason"
    return Diagnosis(reason=reason, message=message, failure=failure)


def _step(vertex: Vertex, code: int, *, out_of_memory: bool) -> tuple[Reason, str]:
    if vertex.head.startswith("runc run failed:"):
        return Reason.CONTAINER_FAILED, f"{vertex.name}: {vertex.head.strip()}"
    if code == _KILLED and out_of_memory:
        return Reason.OUT_OF_MEMORY, f"{vertex.name}: the kernel killed it for using more memory than the limit"
    return Reason.STEP_FAILED, f"{vertex.name}: exit code {code}"


def last_error(lines: list[str]) -> str:
    """buildctl's closing `error:` line. Output of steps never starts a line: the progress display numbers it."""
    found = next((line for line in reversed(lines) if line.startswith("error: ")), "")
    return found.removeprefix("error: ").removeprefix("failed to solve: ").strip()


def line_number(lines: list[str]) -> int | None:
    """From the excerpt that buildctl prints before its error: `Dockerfile:3` above a line of dashes."""
    for place in range(len(lines) - 2, -1, -1):
        found = re.match(r"^\S.*:(\d+)$", lines[place])
        if found and lines[place + 1] == "-" * 20:
            return int(found[1])
    return None


def _matches(cause: str, signs: tuple[str, ...]) -> bool:
    return any(re.search(sign, cause, re.DOTALL) for sign in signs)


def _short(cause: str) -> str:
    """Without BuildKit's internal references, on one line."""
    text = re.sub(r"failed to (calculate checksum of ref|compute cache key:?) ?(\S+::\S+:?)? ?", "", cause)
    return " ".join(text.split())[:500]
