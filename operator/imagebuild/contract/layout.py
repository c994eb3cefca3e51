"""Where things are in the build pod: paths, names and the runner's command line, as both sides see them."""

from __future__ import annotations

__all__ = [
    "ARCHIVE_SECRET_DIR",
    "BUILD_SECRETS_DIR",
    "CACHE_DIR",
    "CACHE_VOLUME",
    "CACHE_VOLUME_DIR",
    "CLIENT_CERTIFICATES_DIR",
    "CONTAINER",
    "EXIT_FAILED",
    "OURS",
    "PLAN_FILE",
    "POD_INFO_DIR",
    "PROXY_PORT",
    "PROXY_SECRET_DIR",
    "REGISTRY_SECRETS_DIR",
    "RUNNER_COMMAND",
    "S3_CREDENTIALS_DIR",
    "SOURCE_ARTIFACT",
    "SOURCE_DIR",
    "SOURCE_SECRETS_DIR",
    "STOP_FILE",
    "SUB_IDS_IN_POD",
    "TERMINATION_LOG",
    "TMP_DIR",
    "WORK_DIR",
    "WORK_ENV",
]

CONTAINER = "build"
RUNNER_COMMAND = ("python3", "-S", "-E", "-B", "-m", "imagebuild.runner")
"""`-S -E -B`: no site packages, no PYTHON* variables, no byte code written; the working directory holds the package."""

POD_INFO_DIR = "/run/imagebuild/pod"
"""A downwardAPI volume. It follows changes of the pod's annotations within a second, so never mount it by subPath."""
PLAN_FILE = f"{POD_INFO_DIR}/plan.json"
STOP_FILE = f"{POD_INFO_DIR}/stop"
"""Empty until the operator asks the runner to stop; then it holds the reason, one word of `Reason`."""

SOURCE_DIR = "/run/imagebuild/source"
"""Where a source that is a volume (a ConfigMap or a claim) is mounted, read-only."""
SOURCE_SECRETS_DIR = "/run/imagebuild/source-secrets"
"""One directory per Secret of a source; empty as long as the Secret does not exist."""
REGISTRY_SECRETS_DIR = "/run/imagebuild/registry"
"""One directory per registry Secret, named by its place in the list; empty as long as the Secret does not exist."""
BUILD_SECRETS_DIR = "/run/imagebuild/secrets"
"""One directory per Secret of spec.secrets and spec.ssh, with the named keys as files."""
CLIENT_CERTIFICATES_DIR = "/run/imagebuild/client-certificates"
"""One directory per Secret with a client certificate for registries; empty as long as the Secret does not exist."""
ARCHIVE_SECRET_DIR = "/run/imagebuild/archive"
"""Of the Secret with the login of the log archive, for the runner alone; empty as long as the Secret does not exist."""
PROXY_SECRET_DIR = "/run/imagebuild/proxy"
"""Of the Secret with the proxy's user name and password; empty as long as the Secret does not exist."""
PROXY_PORT = 3128
"""Where the runner passes requests on to the egress proxy, on the pod's loopback. The same in each build, because steps
that declare ARG HTTP_PROXY would not be found in the cache otherwise."""

CACHE_DIR = "/run/imagebuild/cache"
"""One directory per claim that holds a cache, named by its place in the list; writable."""
CACHE_VOLUME = "cache-volume"
"""The name of the pod's volume."""
CACHE_VOLUME_DIR = "/run/imagebuild/volume"
"""Where the claim is mounted on which BuildKit keeps its state from build to build."""
S3_CREDENTIALS_DIR = "/run/imagebuild/s3"
"""Of the Secret with the credentials file for caches in S3; empty as long as the Secret does not exist."""

WORK_DIR = "/work"
"""The only writable place beside TMP_DIR: BuildKit's state, the checkout, sockets and reports. An emptyDir."""
TMP_DIR = "/tmp"  # noqa: S108  an emptyDir of the pod
WORK_ENV = {
    "HOME": "/home/user",
    "USER": "user",
    "XDG_RUNTIME_DIR": f"{WORK_DIR}/run",
    "TMPDIR": f"{WORK_DIR}/tmp",  # noqa: S108  the same
}
"""Environment of every program in the pod. `USER` must not be root, else buildkitd takes its rootful paths."""

TERMINATION_LOG = "/dev/termination-log"
SUB_IDS_IN_POD = "user:1:999\nuser:1001:64535\n"
"""/etc/subuid and /etc/subgid of a pod with `hostUsers: false`: such a pod has ids 0 to 65,535, the runner is 1000, and
these are all others but root. One range from 1001 up would leave images without nobody, 65534."""

OURS = "imagebuild: "
"""How each line of the log begins that is the runner's own."""

EXIT_FAILED = 1
"""What the runner exits with whenever the build did not succeed; the reason is in the result, never in the code."""

SOURCE_ARTIFACT = "application/vnd.imagebuild.source.v1"
"""The artifactType of a directory that the command has pushed: its links are its own, wherever they lead."""
