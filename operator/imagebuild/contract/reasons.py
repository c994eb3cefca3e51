"""Every way a build waits or ends: one row each, with the sentence and the next step that users read.

| fault          | meaning                                         | what the operator does   | exit code for a CI job |
|----------------|-------------------------------------------------|--------------------------|------------------------|
| none           | the build succeeded, or goes on                 |                          | 0                      |
| user           | the Dockerfile or the source is wrong           | ends the run             | 1                      |
| configuration  | credentials, names, policy                      | ends the run             | 2                      |
| infrastructure | the node, registry, network, or ourselves       | tries again, with back-off | 3                    |
| stopped        | cancel, deletion, a newer build, a full queue   | ends the run             | 4                      |
| too late       | a limit of time was passed                      | ends the run             | 5                      |
| waiting        | something is not there yet                      | waits, spends no attempt |                        |

Both programs use this table, and the reference in the docs is drawn from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["TABLE", "Fault", "Reason", "Row"]


class Fault(StrEnum):
    NONE = "none"
    USER = "user"
    CONFIGURATION = "configuration"
    INFRASTRUCTURE = "infrastructure"
    STOPPED = "stopped"
    TOO_LATE = "too late"
    WAITING = "waiting"


class Reason(StrEnum):
    # going on and well
    QUEUED = "Queued"
    STARTING = "Starting"
    BUILDING = "Building"
    BUILT = "Built"
    ALREADY_BUILT = "AlreadyBuilt"
    MARKED_DONE = "MarkedDone"
    # the user's
    DOCKERFILE_INVALID = "DockerfileInvalid"
    STEP_FAILED = "StepFailed"
    FILE_NOT_FOUND = "FileNotFound"
    REVISION_NOT_FOUND = "RevisionNotFound"
    COMMIT_GONE = "CommitGone"
    CHECKSUM_MISMATCH = "ChecksumMismatch"
    ARCHIVE_INVALID = "ArchiveInvalid"
    SPEC_INVALID = "SpecInvalid"
    PLATFORM_MISMATCH = "PlatformMismatch"
    FRONTEND_FAILED = "FrontendFailed"
    # configuration
    REGISTRY_UNAUTHORIZED = "RegistryUnauthorized"
    REGISTRY_DENIED = "RegistryDenied"
    REPOSITORY_NOT_FOUND = "RepositoryNotFound"
    IMAGE_NOT_FOUND = "ImageNotFound"
    TLS_FAILED = "TLSFailed"
    CLIENT_CERTIFICATE_REFUSED = "ClientCertificateRefused"
    SOURCE_UNAUTHORIZED = "SourceUnauthorized"
    PROXY_REFUSED = "ProxyRefused"
    SECRET_INVALID = "SecretInvalid"
    FRONTEND_NOT_ALLOWED = "FrontendNotAllowed"
    SBOM_SCANNER_FAILED = "SbomScannerFailed"
    HOST_KEY_UNKNOWN = "HostKeyUnknown"
    VOLUME_NOT_WRITABLE = "VolumeNotWritable"
    NOT_ALLOWED = "NotAllowed"
    POD_REJECTED = "PodRejected"
    CLAIM_REJECTED = "ClaimRejected"
    NAME_TAKEN = "NameTaken"
    IMAGE_EXISTS = "ImageExists"
    # waiting
    SUSPENDED = "Suspended"
    HELD = "Held"
    RETRYING = "Retrying"
    SECRET_MISSING = "SecretMissing"
    CONFIG_MAP_MISSING = "ConfigMapMissing"
    CLAIM_MISSING = "ClaimMissing"
    QUOTA_EXCEEDED = "QuotaExceeded"
    UNSCHEDULABLE = "Unschedulable"
    SCHEDULING_GATED = "SchedulingGated"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    PROFILE_MISSING = "SeccompProfileMissing"
    CONTAINER_NOT_STARTED = "ContainerNotStarted"
    OPERATOR_TOO_OLD = "OperatorTooOld"
    CLUSTER_UNAVAILABLE = "ClusterUnavailable"
    # infrastructure
    POD_LOST = "PodLost"
    EVICTED = "Evicted"
    PREEMPTED = "Preempted"
    NODE_LOST = "NodeLost"
    STEP_OUT_OF_MEMORY = "StepOutOfMemory"
    OUT_OF_MEMORY = "OutOfMemory"
    DISK_FULL = "DiskFull"
    DAEMON_NOT_STARTED = "DaemonNotStarted"
    DAEMON_DIED = "DaemonDied"
    CONTAINER_FAILED = "ContainerFailed"
    SOURCE_UNAVAILABLE = "SourceUnavailable"
    REGISTRY_UNAVAILABLE = "RegistryUnavailable"
    PROXY_UNAVAILABLE = "ProxyUnavailable"
    REGISTRY_BUSY = "RegistryBusy"
    CACHE_LOST = "CacheLost"
    RUNNER_FAILED = "RunnerFailed"
    UNKNOWN = "Unknown"
    # stopped
    TIMED_OUT = "TimedOut"
    SILENT = "Silent"
    QUEUE_TIMED_OUT = "QueueTimedOut"
    START_TIMED_OUT = "StartTimedOut"
    QUEUE_FULL = "QueueFull"
    CANCELLED = "Cancelled"
    SUPERSEDED = "Superseded"
    STOPPED = "Stopped"

    @property
    def row(self) -> Row:
        return TABLE[self]


@dataclass(frozen=True, slots=True)
class Row:
    fault: Fault
    sentence: str
    next_step: str = ""

    @property
    def retried(self) -> bool:
        return self.fault is Fault.INFRASTRUCTURE

    @property
    def exit_code(self) -> int | None:
        """What a command that follows the build exits with; None while the build goes on."""
        return _EXIT_CODES.get(self.fault)


_EXIT_CODES = {Fault.USER: 1, Fault.CONFIGURATION: 2, Fault.INFRASTRUCTURE: 3, Fault.STOPPED: 4, Fault.TOO_LATE: 5}

TABLE: dict[Reason, Row] = {
    Reason.QUEUED: Row(Fault.WAITING, "The build waits for its turn."),
    Reason.STARTING: Row(Fault.WAITING, "The build pod is being started."),
    Reason.BUILDING: Row(Fault.NONE, "The build pod runs."),
    Reason.BUILT: Row(Fault.NONE, "The build succeeded."),
    Reason.ALREADY_BUILT: Row(Fault.NONE, "The registry has these images already, built from the same inputs."),
    Reason.MARKED_DONE: Row(Fault.NONE, "Somebody marked these inputs as done; nothing was built."),
    Reason.DOCKERFILE_INVALID: Row(
        Fault.USER, "BuildKit cannot read the Dockerfile.", "Correct the line named in the message."
    ),
    Reason.STEP_FAILED: Row(
        Fault.USER,
        "A step of the Dockerfile failed.",
        "Read failure.logTail; the log of the pod named in podName has all of it.",
    ),
    Reason.FILE_NOT_FOUND: Row(
        Fault.USER,
        "A file or directory the build names is not in the source.",
        "Check source.path, dockerfile.path, COPY lines and .dockerignore; without a source the context is empty.",
    ),
    Reason.REVISION_NOT_FOUND: Row(
        Fault.USER, "The repository has no such branch, tag or commit.", "Check source.git, or push the commit first."
    ),
    Reason.COMMIT_GONE: Row(
        Fault.USER,
        "The commit that an earlier attempt of this run built is not in the repository any more.",
        "Ask for a rebuild, which builds what the branch points to now.",
    ),
    Reason.CHECKSUM_MISMATCH: Row(
        Fault.USER,
        "What was downloaded is not what the checksum says.",
        "Find out why the archive has changed before you correct the checksum.",
    ),
    Reason.ARCHIVE_INVALID: Row(
        Fault.USER,
        "What was downloaded cannot be unpacked.",
        "Make it a tar archive, plain or compressed by gzip, bzip2, xz or zstd, without devices, and without paths and "
        "links that lead out of it.",
    ),
    Reason.SPEC_INVALID: Row(
        Fault.USER, "The spec does not say what to build.", "Correct the field named in the message."
    ),
    Reason.PLATFORM_MISMATCH: Row(
        Fault.USER,
        "An image that the Dockerfile starts from is of another platform than spec.platforms asks for.",
        "Start from an image of that platform, or give the FROM line of a stage that only makes files its --platform.",
    ),
    Reason.REGISTRY_UNAUTHORIZED: Row(
        Fault.CONFIGURATION,
        "The registry has no credentials, or takes none of those it gets.",
        "Name a Secret in registrySecrets that has this registry's host name, and a user and password that it takes, "
        "then ask for a rebuild.",
    ),
    Reason.REGISTRY_DENIED: Row(
        Fault.CONFIGURATION,
        "The registry knows the credentials and refuses this.",
        "Give the account the right to push, or create the repository, then ask for a rebuild.",
    ),
    Reason.REPOSITORY_NOT_FOUND: Row(
        Fault.CONFIGURATION,
        "The registry has no such repository, and makes none by itself.",
        "Create the repository named in the message, or correct output.images, then ask for a rebuild.",
    ),
    Reason.IMAGE_NOT_FOUND: Row(
        Fault.CONFIGURATION,
        "An image that the build starts from is not in its registry.",
        "Check the name and tag in the FROM, COPY --from or syntax= line, source.oci or contexts.",
    ),
    Reason.TLS_FAILED: Row(
        Fault.CONFIGURATION,
        "The certificate of a registry or of the source's server is not trusted.",
        "Add its certificate authority to the operator's configuration (certificateAuthorities).",
    ),
    Reason.CLIENT_CERTIFICATE_REFUSED: Row(
        Fault.CONFIGURATION,
        "The registry wants a client certificate, and takes none that the build has.",
        "Have the administrator name a Secret for this registry in the operator's configuration "
        "(registries[].clientCertificate), or put one into it that the registry knows; then ask for a rebuild.",
    ),
    Reason.SOURCE_UNAUTHORIZED: Row(
        Fault.CONFIGURATION,
        "The server of the source does not know these credentials, or has nothing under this URL.",
        "Check the URL, and name a Secret with its credentials in secretRef beside it, then ask for a rebuild.",
    ),
    Reason.PROXY_REFUSED: Row(
        Fault.CONFIGURATION,
        "The egress proxy of the cluster does not let this build through.",
        "For 407, correct the user name and password in the Secret that the message names; else have the administrator "
        "allow the host in the proxy. Then ask for a rebuild.",
    ),
    Reason.SECRET_INVALID: Row(
        Fault.CONFIGURATION,
        "A Secret does not hold what it is named for.",
        "Give it the keys that the message asks for, then ask for a rebuild.",
    ),
    Reason.HOST_KEY_UNKNOWN: Row(
        Fault.CONFIGURATION,
        "The git server's host key is not in known_hosts, or is another one than there.",
        "Compare the key with what the server's owner publishes, put it into known_hosts of the Secret, "
        "then ask for a rebuild.",
    ),
    Reason.FRONTEND_NOT_ALLOWED: Row(
        Fault.CONFIGURATION,
        "The administrator does not allow the frontend that the Dockerfile or the spec names.",
        "Remove the syntax= line or dockerfile.frontend, or ask the administrator to add the repository "
        "(frontends.allowed).",
    ),
    Reason.FRONTEND_FAILED: Row(
        Fault.USER,
        "The frontend image has not read the Dockerfile.",
        "Check that dockerfile.frontend, or the syntax= line, names an image for BuildKit and for the node's platform.",
    ),
    Reason.SBOM_SCANNER_FAILED: Row(
        Fault.CONFIGURATION,
        "The administrator's program for output.sbom failed.",
        "Ask the administrator to look at the image in sbomScanner, or set output.sbom to false.",
    ),
    Reason.VOLUME_NOT_WRITABLE: Row(
        Fault.CONFIGURATION,
        "The build pod may not write to the volume of a claim.",
        "Use a kind of volume that takes fsGroup, or make its directory writable for the group 1000.",
    ),
    Reason.NOT_ALLOWED: Row(
        Fault.CONFIGURATION,
        "The administrator does not allow what the spec asks for.",
        "Do as the message says, or ask the administrator to allow it; then ask for a rebuild.",
    ),
    Reason.POD_REJECTED: Row(
        Fault.CONFIGURATION,
        "The cluster refuses the build pod.",
        "Do what the message asks (pod.resources, Pod Security level baseline), then ask for a rebuild.",
    ),
    Reason.CLAIM_REJECTED: Row(
        Fault.CONFIGURATION,
        "The cluster refuses the claim that cache.volume.template asks for.",
        "Do what the message asks, mostly another storageClassName or size, then ask for a rebuild.",
    ),
    Reason.NAME_TAKEN: Row(
        Fault.CONFIGURATION,
        "A pod of another owner has the name of the build pod.",
        "Remove that pod, or rename the ImageBuild.",
    ),
    Reason.IMAGE_EXISTS: Row(
        Fault.CONFIGURATION,
        "An image of this name exists already, and output.ifExists is Fail.",
        "Choose another tag, or set output.ifExists to Reuse or Overwrite.",
    ),
    Reason.SUSPENDED: Row(Fault.WAITING, "The build is suspended.", "Set spec.suspend to false."),
    Reason.HELD: Row(
        Fault.WAITING,
        "The operator starts no builds for now.",
        "Set hold to false in the operator's configuration; docs/operations.md says how to mark builds as done.",
    ),
    Reason.RETRYING: Row(Fault.WAITING, "The last attempt met a fault of the infrastructure; the next one follows."),
    Reason.SECRET_MISSING: Row(
        Fault.WAITING, "A Secret that the build names does not exist yet.", "Create it; the build then goes on."
    ),
    Reason.CONFIG_MAP_MISSING: Row(
        Fault.WAITING,
        "The ConfigMap named in source.configMap does not exist yet.",
        "Create it; the build then goes on.",
    ),
    Reason.CLAIM_MISSING: Row(
        Fault.WAITING, "A volume claim that the build names does not exist yet.", "Create it; the build then goes on."
    ),
    Reason.QUOTA_EXCEEDED: Row(
        Fault.WAITING, "The namespace's quota has no room for the build pod.", "Raise the quota, or wait."
    ),
    Reason.UNSCHEDULABLE: Row(
        Fault.WAITING, "No node takes the build pod.", "Compare pod and platforms with what the nodes have."
    ),
    Reason.SCHEDULING_GATED: Row(
        Fault.WAITING,
        "The build pod waits until a queue such as Kueue lets it be scheduled.",
        "Look at that queue, for Kueue at the Workload of the pod.",
    ),
    Reason.IMAGE_PULL_FAILED: Row(
        Fault.WAITING, "The node cannot pull the builder image.", "Check builder.image in the operator's configuration."
    ),
    Reason.PROFILE_MISSING: Row(
        Fault.WAITING,
        "The node does not have the seccomp profile yet.",
        "Check the DaemonSet in the namespace imagebuild-seccomp; imagebuild doctor says which nodes lack it.",
    ),
    Reason.CONTAINER_NOT_STARTED: Row(
        Fault.WAITING,
        "The node cannot start the build container.",
        "Read the message; imagebuild doctor says what the nodes need.",
    ),
    Reason.OPERATOR_TOO_OLD: Row(
        Fault.WAITING, "The spec has a field that this operator does not know.", "Upgrade the operator."
    ),
    Reason.CLUSTER_UNAVAILABLE: Row(
        Fault.WAITING,
        "The API server does not take the build pod just now.",
        "Read the message; where it names a webhook, that does not answer. The operator goes on trying.",
    ),
    Reason.POD_LOST: Row(
        Fault.INFRASTRUCTURE, "The build pod is gone.", "See who deleted it, or whether its node left."
    ),
    Reason.EVICTED: Row(
        Fault.INFRASTRUCTURE, "The node evicted the build pod.", "Give it requests that match its use (pod.resources)."
    ),
    Reason.PREEMPTED: Row(
        Fault.INFRASTRUCTURE,
        "A pod of higher priority took the place of the build pod.",
        "Nothing, if it stays rare: the next attempt follows.",
    ),
    Reason.NODE_LOST: Row(
        Fault.INFRASTRUCTURE,
        "The node of the build pod is gone or was shut down.",
        "Nothing: the next attempt follows.",
    ),
    Reason.STEP_OUT_OF_MEMORY: Row(
        Fault.INFRASTRUCTURE,
        "The kernel ended a step for using more memory than the build pod has.",
        "Raise pod.resources.limits.memory, or have the step use less.",
    ),
    Reason.OUT_OF_MEMORY: Row(
        Fault.INFRASTRUCTURE, "The build needed more memory than its limit.", "Raise pod.resources.limits.memory."
    ),
    Reason.DISK_FULL: Row(
        Fault.INFRASTRUCTURE, "The disk of the build pod is full.", "Raise ephemeral-storage in pod.resources."
    ),
    Reason.DAEMON_NOT_STARTED: Row(
        Fault.INFRASTRUCTURE,
        "buildkitd did not start on this node.",
        "Read the message; imagebuild doctor says what the nodes need.",
    ),
    Reason.DAEMON_DIED: Row(
        Fault.INFRASTRUCTURE, "buildkitd ended in the middle of the build.", "Raise pod.resources.limits.memory."
    ),
    Reason.CONTAINER_FAILED: Row(
        Fault.INFRASTRUCTURE,
        "BuildKit could not start the container of a step on this node.",
        "Read the message; imagebuild doctor says what the nodes need.",
    ),
    Reason.SOURCE_UNAVAILABLE: Row(
        Fault.INFRASTRUCTURE, "The server of the source does not answer as it should.", "Check its URL and the network."
    ),
    Reason.REGISTRY_UNAVAILABLE: Row(
        Fault.INFRASTRUCTURE, "A registry does not answer as it should.", "Check its name and the network."
    ),
    Reason.PROXY_UNAVAILABLE: Row(
        Fault.INFRASTRUCTURE,
        "The egress proxy of the cluster does not answer.",
        "Have the administrator look at the proxy, and at its address in the operator's configuration (proxy).",
    ),
    Reason.REGISTRY_BUSY: Row(
        Fault.INFRASTRUCTURE,
        "A registry takes no more requests for now (429).",
        "Wait, or give credentials in registrySecrets: most registries let known users ask more often.",
    ),
    Reason.CACHE_LOST: Row(
        Fault.INFRASTRUCTURE,
        "The cache names a layer that its registry no longer has.",
        "Nothing: the next attempt does without the cache.",
    ),
    Reason.RUNNER_FAILED: Row(
        Fault.INFRASTRUCTURE, "The runner met a fault of its own.", "Report it with the pod's log."
    ),
    Reason.UNKNOWN: Row(Fault.INFRASTRUCTURE, "The build failed in a way that is not known.", "Read the pod's log."),
    Reason.TIMED_OUT: Row(Fault.TOO_LATE, "The build took longer than timeouts.build.", "Raise timeouts.build."),
    Reason.SILENT: Row(
        Fault.TOO_LATE,
        "No step of the build said or did anything for as long as timeouts.silence.",
        "See in the log which step hung; raise timeouts.silence if it only takes long.",
    ),
    Reason.QUEUE_TIMED_OUT: Row(
        Fault.TOO_LATE,
        "The build waited for its turn longer than timeouts.queue.",
        "Ask for a rebuild when fewer builds wait, or raise timeouts.queue.",
    ),
    Reason.START_TIMED_OUT: Row(
        Fault.TOO_LATE,
        "What the build waits for did not appear within timeouts.start.",
        "Mend what the message names, then ask for a rebuild.",
    ),
    Reason.QUEUE_FULL: Row(
        Fault.STOPPED,
        "As many builds wait as the operator's limits allow.",
        "Ask for a rebuild when fewer builds wait.",
    ),
    Reason.CANCELLED: Row(Fault.STOPPED, "The build was cancelled.", "Ask for a rebuild to build it after all."),
    Reason.SUPERSEDED: Row(Fault.STOPPED, "A newer build took the place of this one."),
    Reason.STOPPED: Row(Fault.STOPPED, "The build pod was told to stop from outside."),
}
