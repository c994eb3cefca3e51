"""What to do about what is in the way of a mode, by platform: a table, from runs of our own and from others' reports.

docs/install.md says which rows were seen on a machine, and which are known from reading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagebuild.cli.doctor.findings import Check, Finding
from imagebuild.cli.doctor.nodes import Node

__all__ = ["FIXES", "Fix", "fix", "too_old"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    finding: Finding
    on: str = ""
    """A pattern of the platform: its OS image, kernel and labels. The first row that fits is taken."""
    text: str


FIXES: tuple[Fix, ...] = (
    Fix(
        finding=Finding.POD_SECURITY,
        text="Build in a namespace of Pod Security level baseline: kubectl label namespace NAME "
        "pod-security.kubernetes.io/enforce=baseline --overwrite. Userns needs its policy version to be 1.35 "
        "or newer, or "
        "latest.",
    ),
    Fix(
        finding=Finding.OPENSHIFT,
        text="Bind a SecurityContextConstraints to the build's service account that allows uid "
        "1000, the capabilities SETUID and SETGID, a Localhost seccomp profile, and an SELinux type under "
        "which newuidmap may "
        "write (moby/buildkit#1634).",
    ),
    Fix(finding=Finding.QUOTA, text="Raise the namespace's quota, or look again when there is room."),
    Fix(
        finding=Finding.REFUSED,
        text="An admission policy or webhook refuses build pods: have it allow what the message names.",
    ),
    Fix(
        finding=Finding.NO_ROOM,
        text="Look again when the node has room, or lower pod.resources.requests in the operator's "
        "configuration; --tainted looks at nodes with taints.",
    ),
    Fix(
        finding=Finding.SANDBOX,
        text="The container runtime cannot make the pod: read its message, and its log on the node.",
    ),
    Fix(
        finding=Finding.IMAGE,
        text="Correct builder.image in the operator's configuration, give the node's credentials in "
        "pod.imagePullSecrets, or open the way from the node to the registry.",
    ),
    Fix(
        finding=Finding.BUILDER,
        text="The image of builder.image is not the builder image of this command's version: build and "
        "push operator/images/builder, or take the command of the image's version.",
    ),
    Fix(
        finding=Finding.PROFILE,
        text="Put the profile on the node: kubectl apply -k manifests/seccomp, and see that the DaemonSet in "
        "the namespace imagebuild-seccomp runs on this node. A seccompProfile of your own must lie below the "
        "kubelet's seccomp "
        "directory.",
    ),
    Fix(
        finding=Finding.NOT_STARTED,
        on=r"runtime=gvisor",
        text="gVisor runs no BuildKit: build on nodes without it.",
    ),
    Fix(finding=Finding.NOT_STARTED, text="The container runtime cannot start the build container: read its message."),
    Fix(
        finding=Finding.NO_USERNS,
        on=r"runtime=gvisor",
        text="gVisor has no pods with user namespaces: build on nodes without it.",
    ),
    Fix(
        finding=Finding.NO_USERNS,
        on=r"Bottlerocket",
        text="Pods with user namespaces need user.max_user_namespaces, too "
        '(bottlerocket#3328): [settings.kernel.sysctl] "user.max_user_namespaces" = "16384".',
    ),
    Fix(
        finding=Finding.NO_USERNS,
        text="Pods with user namespaces need containerd 2.0 or CRI-O 1.25, runc 1.2 or crun 1.9, a kernel "
        "of 6.3, and volumes whose filesystem can be mapped. Until then set isolation: Rootless.",
    ),
    Fix(
        finding=Finding.USERNS_IGNORED,
        text="The cluster takes hostUsers: false and ignores it, so the pod is not kept from the node "
        "as the mode promises: Kubernetes 1.33 is the first that has it on (feature gate "
        "UserNamespacesSupport before). Until "
        "then set isolation: Rootless.",
    ),
    Fix(
        finding=Finding.PROC_MASKED,
        text="The cluster ignores procMount: Unmasked (feature gate ProcMountType, on from 1.33): "
        "set isolation: UsernsMasked.",
    ),
    Fix(
        finding=Finding.NO_NESTED,
        on=r"Bottlerocket.*\(EKS Auto|compute-type=auto",
        text="EKS Auto Mode allows no user namespaces, and has no setting for it "
        "(aws/containers-roadmap#2797): build on nodes of a managed node group, by "
        "spec.pod.nodeSelector.",
    ),
    Fix(
        finding=Finding.NO_NESTED,
        on=r"Bottlerocket",
        text="Set user.max_user_namespaces in Bottlerocket's settings: [settings.kernel.sysctl] "
        '"user.max_user_namespaces" = "16384".',
    ),
    Fix(
        finding=Finding.NO_NESTED,
        on=r"Talos",
        text='Set it in the machine configuration: machine.sysctls: {user.max_user_namespaces: "11255"}.',
    ),
    Fix(
        finding=Finding.NO_NESTED,
        on=r"Amazon Linux 2\b(?!023)",
        text="Set it on the nodes, in the launch template's user data: sysctl -w user.max_user_namespaces=15000.",
    ),
    Fix(
        finding=Finding.NO_NESTED,
        on=r"CentOS|Red Hat Enterprise Linux [78]|Red Hat Enterprise Linux Server 7",
        text="Set it on the nodes: sysctl -w user.max_user_namespaces=15000, in /etc/sysctl.d to last.",
    ),
    Fix(
        finding=Finding.NO_NESTED,
        text="Set user.max_user_namespaces on the node: sysctl -w user.max_user_namespaces=15000, and in "
        "/etc/sysctl.d to last.",
    ),
    Fix(
        finding=Finding.NO_NESTED_CLONE,
        text="Set it on the node: sysctl -w kernel.unprivileged_userns_clone=1, and in /etc/sysctl.d to last.",
    ),
    Fix(
        finding=Finding.APPARMOR_USERNS,
        text="Load this project's AppArmor profile (manifests/apparmor) on the node and name it as apparmorProfile in "
        "the operator's configuration; or set it on the node: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 "
        "and in /etc/sysctl.d to last (Ubuntu 23.10 and newer set it to 1).",
    ),
    Fix(
        finding=Finding.APPARMOR_MOUNT,
        text="The runtime's own AppArmor profile forbids mounts, also within a user namespace: load this project's "
        "(manifests/apparmor) on the nodes for builds and name it as apparmorProfile in the operator's configuration.",
    ),
    Fix(
        finding=Finding.SECCOMP,
        text="The seccomp profile forbids user namespaces: use the one of this release (manifests/seccomp), or "
        "add its calls to yours.",
    ),
    Fix(
        finding=Finding.SUB_IDS,
        on=r"Red Hat Enterprise Linux CoreOS|OpenShift",
        text="OpenShift gives pods ids of the project's "
        "range, where newuidmap can map nothing: a SecurityContextConstraints must let build pods be uid 1000.",
    ),
    Fix(
        finding=Finding.SUB_IDS,
        on=r"Container-Optimized OS",
        text="newuidmap cannot write the id map (reported for GKE Autopilot, "
        "moby/buildkit#3217): build on nodes of a Standard cluster.",
    ),
    Fix(
        finding=Finding.SUB_IDS,
        text="See that the builder image has newuidmap with its file capability, and that nothing changes "
        "/etc/subuid in build pods.",
    ),
    Fix(
        finding=Finding.ESCALATION,
        text="Something sets allowPrivilegeEscalation: false on build pods, such as a mutating webhook or a "
        "SecurityContextConstraints: exempt the namespace.",
    ),
    Fix(
        finding=Finding.MOUNTS,
        on=r"Red Hat Enterprise Linux CoreOS|OpenShift",
        text="SELinux forbids mounts: a "
        "SecurityContextConstraints must give build pods a type that may (moby/buildkit#1634).",
    ),
    Fix(
        finding=Finding.MOUNTS,
        text="Mounts within a user namespace are forbidden on this node, by SELinux, AppArmor or a seccomp "
        "profile: see the node's audit log.",
    ),
    Fix(
        finding=Finding.OVERLAY,
        on=r"Bottlerocket",
        text="Layers could not be mounted on an emptyDir of Bottlerocket "
        "(moby/buildkit#4667): use a cache.volume on a claim.",
    ),
    Fix(
        finding=Finding.OVERLAY,
        text="The node's disk for emptyDirs cannot hold overlayfs: it needs ext4, or xfs with ftype=1, and "
        "a kernel of 5.11.",
    ),
    Fix(finding=Finding.DAEMON, text="Read the message, and report it with the node's OS and runtime."),
    Fix(finding=Finding.STEP, text="Read the message, and report it with the node's OS and runtime."),
    Fix(
        finding=Finding.SANDBOXED,
        text="Pods here have another kernel than the node, as with gVisor or Kata: gVisor is not known to "
        "run BuildKit (moby/buildkit#4022).",
    ),
    Fix(
        finding=Finding.DISK,
        text="Give the node a larger disk for emptyDirs, or lower ephemeral-storage in pod.resources.",
    ),
    Fix(
        finding=Finding.MEMORY,
        text="Builds that use what their limit allows will meet the node's own: lower the memory limit in "
        "pod.resources, or build on larger nodes.",
    ),
    Fix(finding=Finding.OUT_OF_MEMORY, text="Raise the memory limit in pod.resources of the operator's configuration."),
    Fix(
        finding=Finding.TIMED_OUT,
        text="See what the node does: kubectl describe node. A first pull of the builder image may take "
        "longer, too: look again, or give more --timeout.",
    ),
    Fix(finding=Finding.LOST, text="Somebody ended the pod: look again."),
)
_VERSIONS = (
    ("kubelet", re.compile(r"v(\d+)\.(\d+)"), (1, 33), "pods with user namespaces are on by default from v1.33"),
    ("runtime", re.compile(r"containerd://(\d+)\.(\d+)"), (2, 0), "pods with user namespaces need containerd 2.0"),
    ("runtime", re.compile(r"cri-o://(\d+)\.(\d+)"), (1, 25), "pods with user namespaces need CRI-O 1.25"),
    ("kernel", re.compile(r"(\d+)\.(\d+)"), (6, 3), "pods with user namespaces need 6.3"),
)
_OVERLAY = re.compile(r"(\d+)\.(\d+)"), (5, 11)


def fix(finding: Finding, node: Node) -> str:
    platform = f"{node.os_image} {node.kernel} {node.marks}"
    return next(row.text for row in FIXES if row.finding is finding and re.search(row.on, platform))


def too_old(node: Node, check: Check) -> list[str]:
    """Versions on the node that explain why a check does not hold. One that holds needs no explanation."""
    if check in (Check.USERNS, Check.PROC):
        rows = ((getattr(node, field), pattern, least, why) for field, pattern, least, why in _VERSIONS)
        return [f"{given}: {why}" for given, pattern, least, why in rows if _below(given, pattern, least)]
    if check is Check.OVERLAY and _below(node.kernel, *_OVERLAY):
        return [f"{node.kernel}: overlayfs in a user namespace needs 5.11"]
    return []


def _below(given: str, pattern: re.Pattern[str], least: tuple[int, int]) -> bool:
    found = pattern.match(given)
    return found is not None and (int(found[1]), int(found[2])) < least
