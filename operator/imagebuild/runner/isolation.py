"""Whether the pod is what the isolation mode says: an API server drops fields that are switched off there, without a
word, and a build must not run with less between it and the node than the administrator has chosen.
"""

from __future__ import annotations

from pathlib import Path

from imagebuild.contract import layout
from imagebuild.contract.reasons import Reason
from imagebuild.runner.problem import Problem

__all__ = ["check"]

_OF_THE_NODE = ["0", "0", "4294967295"]
"""/proc/self/uid_map where no user namespace has been made."""
_MASKED = {"/proc/kcore", "/proc/sys"}


def check(*, sandbox: bool, proc: Path = Path("/proc/self"), sub_ids: Path = Path("/etc/subuid")) -> None:
    """`sandbox`: the mode is Userns. The sub-ids are of those modes that have a user namespace."""
    wants_namespace = sub_ids.exists() and sub_ids.read_text() == layout.SUB_IDS_IN_POD
    if wants_namespace and (proc / "uid_map").read_text().split() == _OF_THE_NODE:
        raise _lacks("hostUsers: false", "it has no user namespace", "Rootless")
    mounts = {line.split()[4] for line in (proc / "mountinfo").read_text().splitlines()}
    if sandbox and mounts & _MASKED:
        raise _lacks("procMount: Unmasked", "its /proc is masked", "UsernsMasked")


def _lacks(field: str, seen: str, other: str) -> Problem:
    told = f"the cluster has dropped {field} from the build pod: {seen}; the next isolation mode is {other}"
    return Problem(Reason.DAEMON_NOT_STARTED, told)
