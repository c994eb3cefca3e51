"""Why a build failed: what BuildKit says of the vertex that failed, as a Reason. One table, no I/O.

| looked at, in this order               | because                                                 |
|----------------------------------------|---------------------------------------------------------|
| the vertex that failed, from the trace | a RUN step cannot write there                           |
| the last `error:` line of buildctl     | what fails before any vertex is named nowhere else      |

The text of a RUN step's error is BuildKit's own (`process … did not complete successfully: exit code: N`), but it
quotes the command, so for RUN steps only what follows it counts. Elsewhere names of files and images are in quotes, or
are words with a slash: neither ever counts. That runc could not make the container of a step shows in the step's own
output, where it can be forged, so it counts only if runc has logged the same, where no step can write.

What no row knows is the user's as long as BuildKit puts it down to a line of the Dockerfile: to try such a build again
would only take longer to say the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import Failure
from imagebuild.runner.trace import Vertex

__all__ = ["Diagnosis", "diagnose", "failure", "last_error", "line_number"]

_PROCESS = re.compile(r"^process \".*\" did not complete successfully: (.*)$", re.DOTALL)
_EXIT_CODE = re.compile(r"^exit code: (\d+)$")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_NAME = re.compile(r"(?<!\S)(?!i/o\b)[^\s/]*/\S*?(?=:?(?:\s|$))")
"""A word with a slash: a path, an image or a URL. `i/o timeout` is none."""
_NO_CONTAINER = "runc run failed:"
_NO_PROGRAM = re.compile(r': exec: "|: chdir to cwd ')
"""runc has made the container, and what the Dockerfile wants to run in it cannot be run."""
_KILLED = 137
_TAIL_LINES = 20

_TABLE = (
    # what the runner's own proxy says, before what servers say
    (Reason.PROXY_REFUSED, (r"the egress proxy \S+ answers 4\d\d\b",)),
    (Reason.PROXY_UNAVAILABLE, (r"the egress proxy \S+ does not answer",)),
    (Reason.FRONTEND_NOT_ALLOWED, (r"is not an allowed gateway source$", r"^invalid frontend: gateway\.v0$")),
    (Reason.STEP_FAILED, (r"^unable to find (user|group) ",)),
    (
        Reason.DAEMON_DIED,
        (r"^failed to receive status: ", r"^listing workers for Build: ", r"code = Unavailable", r"dial unix "),
    ),
    (
        Reason.CACHE_LOST,
        (r"could not fetch content descriptor .* from remote: not found", r"httpReadSeeker: .*not found"),
    ),
    (
        Reason.FILE_NOT_FOUND,
        (
            r"^failed to read dockerfile: open",
            r"failed to calculate checksum of ref \S+: \S*: not found$",
            r"^lstat .*no such file or directory$",
            r"invalid response status 4(04|10)$",
        ),
    ),
    # a seccomp or AppArmor profile of the node's
    (Reason.CONTAINER_FAILED, (r"^failed to (un)?mount .*: (operation not permitted|permission denied)$",)),
    (Reason.DISK_FULL, (r"no space left on device", r"disk quota exceeded")),
    (Reason.OUT_OF_MEMORY, (r"cannot allocate memory",)),
    (Reason.SPEC_INVALID, (r"^failed to push .*: invalid reference format", r"^failed to parse target platform")),
    (
        Reason.DOCKERFILE_INVALID,
        (
            r"^dockerfile parse error",
            r"^target stage .* could not be found",
            r"^failed to parse (stage name|platform)",
            r"invalid reference format",
            r"^base name .* should not be blank",
            r"^circular dependency",
            r"^file with no instructions",
            r"^the Dockerfile cannot be empty",
            r"^no build stage in current context",
            r"^lint violation found",
            r"^failed to load LLB: \S+ is not allowed",
            r"^digest mismatch",
        ),
    ),
    # "remote": it is the server that refuses
    (Reason.CLIENT_CERTIFICATE_REFUSED, (r"remote error: tls: (.*\bcertificate|access denied)",)),
    (Reason.TLS_FAILED, (r"x509:", r"tls: ", r"server gave HTTP response to HTTPS client")),
    (Reason.REVISION_NOT_FOUND, (r"repository does not contain ref",)),
    (
        Reason.SOURCE_UNAUTHORIZED,
        (r"git stderr:.*(repository \S+ not found|could not read Username|Authentication failed)",),
    ),
    # a registry that is busy or away before credentials: the server that gives the token may be the one
    (Reason.REGISTRY_BUSY, (r"429 Too Many", r"toomanyrequests", r"invalid response status 429$")),
    (
        Reason.REGISTRY_UNAVAILABLE,
        (
            r": 5\d\d [A-Z][a-z]+",
            r"invalid response status 5\d\d$",
            r"i/o timeout",
            r"connection refused",
            r"connection reset",
            r"no such host",
            r"the egress proxy \S+ answers 5\d\d\b",
            r":\d+ cannot be reached: ",
            r"deadline exceeded",
            r"TLS handshake timeout",
            r"timeout awaiting response headers",
            r"network is unreachable",
            r"no route to host",
            r"server misbehaving",
            r"\bEOF\b",
            r"broken pipe",
            r"use of closed network connection",
            # a layer that is not what its name says, or not all of it
            r"unexpected commit (digest|size)",
            r"got digest \S+, expected",
            r"git stderr:.*(unable to access|Could not resolve host)",
        ),
    ),
    # known to the registry that gave a token, which is not good for this
    (Reason.REGISTRY_DENIED, (r"insufficient_scope",)),
    (
        # many registries do not make a repository by a push to it; the words are the registry's own
        Reason.REPOSITORY_NOT_FOUND,
        (
            r"^failed to push .*(not known to registry|does not exist(?! or)|not found$|404 Not Found)",
            r"^failed to push .*(NAME_UNKNOWN|name unknown)",
        ),
    ),
    (
        Reason.REGISTRY_UNAUTHORIZED,
        (
            r"401 Unauthorized",
            r"failed to authorize",
            r"failed to fetch (oauth|anonymous) token",
            r"authorization failed",
            r"authentication required",
            r"no basic auth credentials",
            r"error getting credentials",
            r"\bunauthorized: ",
        ),
    ),
    (Reason.REGISTRY_DENIED, (r"403 Forbidden", r"(?<!permission )\bdenied\b")),
    (Reason.IMAGE_NOT_FOUND, (r": not found$", r"manifest unknown", r"NAME_UNKNOWN", r"name unknown")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    reason: Reason
    message: str
    failure: Failure


def diagnose(
    vertex: Vertex | None,
    error: str,
    line: int | None,
    *,
    imported: bool,
    out_of_memory: bool,
    runc: tuple[str, ...] = (),
) -> Diagnosis:
    """`error` and `line` are what buildctl said at its end, `imported`: with a cache; `out_of_memory`: the kernel
    killed a process for it; `runc`: what runc has logged.
    """
    cause = vertex.error if vertex is not None else error
    process = _PROCESS.match(cause)
    ended = _EXIT_CODE.match(process[1]) if process else None
    code = int(ended[1]) if ended else None
    if vertex is not None and code is not None:
        reason, message = _step(vertex, code, runc, out_of_memory=out_of_memory)
    else:
        reason = _reason(process[1] if process else cause, vertex, line, imported=imported)
        message = _short(process[1] if process else cause) or "BuildKit gave no reason"
    seen = failure(vertex) if vertex is not None else Failure()
    return Diagnosis(reason=reason, message=message, failure=replace(seen, line=line, exit_code=code))


def failure(vertex: Vertex) -> Failure:
    """Where a build failed, with the last of what was said there."""
    return Failure(step=vertex.name, log_tail="\n".join(list(vertex.log)[-_TAIL_LINES:]))


def _step(vertex: Vertex, code: int, runc: tuple[str, ...], *, out_of_memory: bool) -> tuple[Reason, str]:
    head = vertex.head.strip()
    if head.startswith(_NO_CONTAINER) and any(
        said.startswith(_NO_CONTAINER) and head.startswith(said[: len(head)]) for said in runc
    ):
        users = _NO_PROGRAM.search(head)
        return Reason.STEP_FAILED if users else Reason.CONTAINER_FAILED, f"{vertex.name}: {head}"
    if code == _KILLED and out_of_memory:
        message = f"{vertex.name}: the kernel ended it for using more memory than the build pod has"
        return Reason.STEP_OUT_OF_MEMORY, message
    return Reason.STEP_FAILED, f"{vertex.name}: exit code {code}"


def _reason(cause: str, vertex: Vertex | None, line: int | None, *, imported: bool) -> Reason:
    step = vertex is not None and vertex.step
    unfit = {Reason.CACHE_LOST} if not imported else set()
    if step:
        unfit.add(Reason.IMAGE_NOT_FOUND)  # of a step it is a secret or the like that is "not found"
    words = _NAME.sub("…", _QUOTED.sub('""', cause))
    found = (reason for reason, signs in _TABLE if reason not in unfit and _matches(words, signs))
    if step:
        return next(found, Reason.STEP_FAILED)
    return next(found, Reason.DOCKERFILE_INVALID if vertex is None and line is not None else Reason.UNKNOWN)


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
