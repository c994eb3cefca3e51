"""The seccomp profile of build pods: the container engine's default and the few calls that a build needs beyond it.

Each of ADDED is necessary, in each isolation mode, and together they are enough: tests/e2e/test_seccomp.py runs a build
under a profile without each of them, on a node. docs/security.md shows the table.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "ADDED",
    "DEFAULT",
    "OPERATOR_NAME",
    "Call",
    "default",
    "digest",
    "operator_object",
    "profile",
    "table",
    "text",
]

Document = dict[str, Any]

DEFAULT = Path(__file__).resolve().parents[1] / "seccomp" / "default.json"
"""What hack/seccomp prints."""
OPERATOR_NAME = "imagebuild"
"""Of the object for the Security Profiles Operator. The kubelet finds that as `operator/imagebuild.json`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A system call, who makes it, and what becomes of a build without it."""

    name: str
    use: str
    reason: str
    says: str
    """In the message of the status."""

    @property
    def row(self) -> str:
        return f"| `{self.name}` | {self.use} | `{self.reason}`: {self.says} |"


ADDED = (
    Call(
        name="clone",
        use="rootlesskit makes the user namespace in which BuildKit runs. The default has it without namespaces",
        reason="DaemonNotStarted",
        says="the seccomp profile forbids user namespaces",
    ),
    Call(
        name="mount",
        use="rootlesskit, BuildKit and runc mount",
        reason="DaemonNotStarted",
        says="mounts are forbidden",
    ),
    Call(name="umount2", use="BuildKit unmounts", reason="ContainerFailed", says="failed to unmount"),
    Call(
        name="unshare",
        use="runc makes the namespaces of a step",
        reason="ContainerFailed",
        says="failed to unshare remaining namespaces",
    ),
    Call(
        name="setns",
        use="runc mounts from a thread in a step's namespaces",
        reason="ContainerFailed",
        says="join container mntns: setns",
    ),
    Call(
        name="pivot_root",
        use="runc gives a step its root directory",
        reason="ContainerFailed",
        says="error jailing process inside rootfs: pivot_root",
    ),
    Call(
        name="sethostname",
        use="runc gives a step its host name",
        reason="ContainerFailed",
        says="error during container init: sethostname",
    ),
    Call(
        name="keyctl",
        use="runc gives a step a session keyring of its own",
        reason="ContainerFailed",
        says="unable to create session key",
    ),
)


def default() -> Document:
    document: Document = json.loads(DEFAULT.read_text())
    return document


def profile(without: str = "") -> Document:
    """`without`: one of the calls that were added."""
    names = sorted(call.name for call in ADDED if call.name != without)
    begin = default()
    return {**begin, "syscalls": [*begin["syscalls"], {"names": names, "action": "SCMP_ACT_ALLOW"}]}


def text() -> str:
    """Of the file, by whose content it is named."""
    return json.dumps(profile(), indent=1) + "\n"


def digest() -> str:
    return hashlib.sha256(text().encode()).hexdigest()[:16]


def operator_object() -> Document:
    return {
        "apiVersion": "security-profiles-operator.x-k8s.io/v1beta1",
        "kind": "SeccompProfile",
        "metadata": {"name": OPERATOR_NAME, "labels": {"app.kubernetes.io/name": "imagebuild-seccomp"}},
        "spec": profile(),
    }


def table() -> str:
    return "\n".join(("| call | who makes it | a build without it |", "|---|---|---|", *(call.row for call in ADDED)))
