"""Every way a build waits or ends: one row each, with the sentence and the next step that users read.

| fault          | meaning                                         | what the operator does   | exit code for a CI job |
|----------------|-------------------------------------------------|--------------------------|------------------------|
| none           | the build succeeded, or goes on                 |                          | 0                      |
| user           | the Dockerfile or the source is wrong           | ends the run             | 1                      |
| configuration  | credentials, names, policy                      | ends the run             | 2                      |
| infrastructure | the node, registry, network, or ourselves       | tries again, with back-off | 3                    |
| stopped        | time-out, cancel, deletion                      | ends the run             | 4                      |
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
    WAITING = "waiting"


class Reason(StrEnum):
    # going on and well
    QUEUED = "Queued"
    STARTING = "Starting"
    BUILDING = "Building"
    BUILT = "Built"
    # the user's
    DOCKERFILE_INVALID = "DockerfileInvalid"
    STEP_FAILED = "StepFailed"
    FILE_NOT_FOUND = "FileNotFound"
    REVISION_NOT_FOUND = "RevisionNotFound"
    SPEC_INVALID = "SpecInvalid"
    # configuration
    REGISTRY_UNAUTHORIZED = "RegistryUnauthorized"
    REGISTRY_DENIED = "RegistryDenied"
    IMAGE_NOT_FOUND = "ImageNotFound"
    TLS_FAILED = "TLSFailed"
    SOURCE_UNAUTHORIZED = "SourceUnauthorized"
    POD_REJECTED = "PodRejected"
    NAME_TAKEN = "NameTaken"
    # waiting
    RETRYING = "Retrying"
    SECRET_MISSING = "SecretMissing"
    CONFIG_MAP_MISSING = "ConfigMapMissing"
    QUOTA_EXCEEDED = "QuotaExceeded"
    UNSCHEDULABLE = "Unschedulable"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    PROFILE_MISSING = "SeccompProfileMissing"
    CONTAINER_NOT_STARTED = "ContainerNotStarted"
    OPERATOR_TOO_OLD = "OperatorTooOld"
    # infrastructure
    POD_LOST = "PodLost"
    EVICTED = "Evicted"
    OUT_OF_MEMORY = "OutOfMemory"
    DISK_FULL = "DiskFull"
    DAEMON_NOT_STARTED = "DaemonNotStarted"
    DAEMON_DIED = "DaemonDied"
    CONTAINER_FAILED = "ContainerFailed"
    SOURCE_UNAVAILABLE = "SourceUnavailable"
    REGISTRY_UNAVAILABLE = "RegistryUnavailable"
    CACHE_LOST = "CacheLost"
    RUNNER_FAILED = "RunnerFailed"
    UNKNOWN = "Unknown"
    # stopped
    TIMED_OUT = "TimedOut"
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


_EXIT_CODES = {Fault.USER: 1, Fault.CONFIGURATION: 2, Fault.INFRASTRUCTURE: 3, Fault.STOPPED: 4}

TABLE: dict[Reason, Row] = {
    Reason.QUEUED: Row(Fault.WAITING, "The build waits for its turn."),
    Reason.STARTING: Row(Fault.WAITING, "The build pod is being started."),
    Reason.BUILDING: Row(Fault.NONE, "The build pod runs."),
    Reason.BUILT: Row(Fault.NONE, "The build succeeded."),
    Reason.DOCKERFILE_INVALID: Row(
        Fault.USER, "BuildKit cannot read the Dockerfile.", "Correct the line named in the message."
    ),
    Reason.STEP_FAILED: Row(
        Fault.USER, "A step of the Dockerfile failed.", "Read the last lines of its output in failure.logTail."
    ),
    Reason.FILE_NOT_FOUND: Row(
        Fault.USER,
        "A file or directory the build names is not in the source.",
        "Check source.path, dockerfile.path, COPY lines and .dockerignore.",
    ),
    Reason.REVISION_NOT_FOUND: Row(
        Fault.USER, "The repository has no such branch, tag or commit.", "Check source.git, or push the commit first."
    ),
    Reason.SPEC_INVALID: Row(
        Fault.USER, "The spec does not say what to build.", "Correct the field named in the message."
    ),
    Reason.REGISTRY_UNAUTHORIZED: Row(
        Fault.CONFIGURATION,
        "The registry does not know these credentials.",
        "Name a Secret with this registry's host name and password in registrySecrets, then ask for a rebuild.",
    ),
    Reason.REGISTRY_DENIED: Row(
        Fault.CONFIGURATION,
        "The registry knows the credentials and refuses this.",
        "Give the account the right to push, or create the repository, then ask for a rebuild.",
    ),
    Reason.IMAGE_NOT_FOUND: Row(
        Fault.CONFIGURATION,
        "An image that the Dockerfile starts from is not in its registry.",
        "Check the name and tag in the FROM, COPY --from or syntax= line.",
    ),
    Reason.TLS_FAILED: Row(
        Fault.CONFIGURATION,
        "The certificate of a registry or git server is not trusted.",
        "Add its certificate authority to the operator's configuration (certificateAuthorities).",
    ),
    Reason.SOURCE_UNAUTHORIZED: Row(
        Fault.CONFIGURATION,
        "The git server wants credentials, or has no such repository.",
        "Check the URL in source.git.url; private repositories are not supported yet.",
    ),
    Reason.POD_REJECTED: Row(
        Fault.CONFIGURATION,
        "The cluster refuses the build pod.",
        "Do what the message asks (pod.resources, Pod Security level baseline), then ask for a rebuild.",
    ),
    Reason.NAME_TAKEN: Row(
        Fault.CONFIGURATION,
        "A pod of another owner has the name of the build pod.",
        "Remove that pod, or rename the ImageBuild.",
    ),
    Reason.RETRYING: Row(Fault.WAITING, "The last attempt met a fault of the infrastructure; the next one follows."),
    Reason.SECRET_MISSING: Row(
        Fault.WAITING, "A Secret named in registrySecrets does not exist yet.", "Create it; the build then goes on."
    ),
    Reason.CONFIG_MAP_MISSING: Row(
        Fault.WAITING,
        "The ConfigMap named in source.configMap does not exist yet.",
        "Create it; the build then goes on.",
    ),
    Reason.QUOTA_EXCEEDED: Row(
        Fault.WAITING, "The namespace's quota has no room for the build pod.", "Raise the quota, or wait."
    ),
    Reason.UNSCHEDULABLE: Row(
        Fault.WAITING, "No node takes the build pod.", "Compare pod.resources with what the nodes have."
    ),
    Reason.IMAGE_PULL_FAILED: Row(
        Fault.WAITING, "The node cannot pull the builder image.", "Check builder.image in the operator's configuration."
    ),
    Reason.PROFILE_MISSING: Row(
        Fault.WAITING,
        "The node does not have the seccomp profile yet.",
        "Check the DaemonSet in the namespace imagebuild-seccomp.",
    ),
    Reason.CONTAINER_NOT_STARTED: Row(
        Fault.WAITING,
        "The node cannot start the build container.",
        "Read the message; docs/install.md names nodes that need a setting.",
    ),
    Reason.OPERATOR_TOO_OLD: Row(
        Fault.WAITING, "The spec has a field that this operator does not know.", "Upgrade the operator."
    ),
    Reason.POD_LOST: Row(
        Fault.INFRASTRUCTURE, "The build pod is gone.", "See who deleted it, or whether its node left."
    ),
    Reason.EVICTED: Row(
        Fault.INFRASTRUCTURE, "The node evicted the build pod.", "Give it requests that match its use (pod.resources)."
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
        "Read the message; docs/install.md names nodes that need a setting.",
    ),
    Reason.DAEMON_DIED: Row(
        Fault.INFRASTRUCTURE, "buildkitd ended in the middle of the build.", "Raise pod.resources.limits.memory."
    ),
    Reason.CONTAINER_FAILED: Row(
        Fault.INFRASTRUCTURE,
        "BuildKit could not start the container of a step on this node.",
        "Read the message; docs/install.md names nodes that need a setting.",
    ),
    Reason.SOURCE_UNAVAILABLE: Row(
        Fault.INFRASTRUCTURE, "The git server does not answer as it should.", "Check source.git.url and the network."
    ),
    Reason.REGISTRY_UNAVAILABLE: Row(
        Fault.INFRASTRUCTURE, "A registry does not answer as it should.", "Check its name and the network."
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
    Reason.TIMED_OUT: Row(Fault.STOPPED, "The build took longer than timeouts.build.", "Raise timeouts.build."),
    Reason.CANCELLED: Row(Fault.STOPPED, "The build was cancelled."),
    Reason.SUPERSEDED: Row(Fault.STOPPED, "The inputs changed while the build ran."),
    Reason.STOPPED: Row(Fault.STOPPED, "The build pod was told to stop from outside."),
}
