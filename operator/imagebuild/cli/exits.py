"""Exit codes: what a pipeline can tell from how a command ends. The codes of builds are contract/reasons.py's."""

from __future__ import annotations

from enum import IntEnum

from imagebuild.contract.reasons import Reason


class Exit(IntEnum):
    OK = 0
    BUILD_FAILED = 1
    CONFIGURATION = 2
    INFRASTRUCTURE = 3
    STOPPED = 4
    TOO_LATE = 5
    USAGE = 64
    INTERRUPTED = 130


MEANINGS = {
    Exit.OK: "It worked. Of `build` and `wait`: the image is there.",
    Exit.BUILD_FAILED: "The Dockerfile or the source is wrong.",
    Exit.CONFIGURATION: "Credentials, names, rights or policy are wrong, in the build or towards the cluster. "
    "Of `doctor`: the isolation mode in force does not work on some nodes.",
    Exit.INFRASTRUCTURE: "A node, a registry, the network or the API server failed. The one code worth another try. "
    "Of `doctor`: on some nodes it could not be found out.",
    Exit.STOPPED: "The build was cancelled, or a newer one took its place.",
    Exit.TOO_LATE: "The build passed a limit of time, or was not over when `--timeout` of `wait` was.",
    Exit.USAGE: "The command line is wrong; nothing was done.",
    Exit.INTERRUPTED: "Ctrl-C at a terminal. The build goes on.",
}


def of_build(phase: str | None, reason: str | None) -> Exit:
    """Of a build that is over. A reason that only a newer operator knows is the build's own failure."""
    if phase == "Succeeded":
        return Exit.OK
    code = Reason(reason).row.exit_code if reason in set(Reason) else None
    return Exit(code) if code is not None else Exit.BUILD_FAILED
