"""What a probe pod looks at, in the order in which a pod meets it, and what can be in its way."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Check", "Finding"]


class Check(StrEnum):
    ADMITTED = "pod admitted"
    SCHEDULED = "node has room"
    SANDBOX = "pod sandbox"
    IMAGE = "builder image"
    PROFILE = "seccomp profile"
    STARTED = "container starts"
    USERNS = "user namespace"
    PROC = "unmasked /proc"
    NESTED = "nested user namespace"
    IDS = "id maps"
    MOUNTS = "mounts allowed"
    OVERLAY = "overlayfs"
    DAEMON = "BuildKit starts"
    STEP = "RUN step"
    KERNEL = "node's own kernel"
    DISK = "free disk"
    MEMORY = "memory"


class Finding(StrEnum):
    POD_SECURITY = "PodSecurity"
    OPENSHIFT = "SecurityContextConstraints"
    QUOTA = "QuotaExceeded"
    REFUSED = "PodRejected"
    NO_ROOM = "Unschedulable"
    SANDBOX = "SandboxFailed"
    IMAGE = "ImagePullFailed"
    BUILDER = "BuilderOfAnotherKind"
    PROFILE = "SeccompProfileMissing"
    NOT_STARTED = "ContainerNotStarted"
    NO_USERNS = "UserNamespaceRefused"
    USERNS_IGNORED = "UserNamespaceIgnored"
    PROC_MASKED = "ProcMasked"
    NO_NESTED = "UserNamespacesOff"
    NO_NESTED_CLONE = "UnprivilegedUserNamespacesOff"
    APPARMOR_USERNS = "AppArmorRestrictsUserNamespaces"
    APPARMOR_MOUNT = "AppArmorForbidsMounts"
    SECCOMP = "SeccompForbidsUserNamespaces"
    SUB_IDS = "SubIdsDoNotFit"
    ESCALATION = "NoNewPrivileges"
    MOUNTS = "MountsForbidden"
    OVERLAY = "NoOverlayfs"
    DAEMON = "DaemonNotStarted"
    STEP = "StepFailed"
    SANDBOXED = "AnotherKernel"
    DISK = "DiskSmall"
    MEMORY = "MemorySmall"
    OUT_OF_MEMORY = "OutOfMemory"
    TIMED_OUT = "TimedOut"
    LOST = "PodLost"
