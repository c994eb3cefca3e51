"""Every name that another program can see: the resource, labels and annotations. Each string with a "/" is here."""

from __future__ import annotations

import hashlib

GROUP = "imagebuild.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "ImageBuild"
PLURAL = "imagebuilds"

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "imagebuild-operator"
"""The value of MANAGED_BY on build pods; the operator watches no other pods."""

LABEL_BUILD = f"{GROUP}/build"
"""On build pods: the ImageBuild's name, shortened with a hash where it is longer than a label's value may be."""
LABEL_RUN = f"{GROUP}/run"
"""On build pods: which run of the ImageBuild, from 1."""
LABEL_ATTEMPT = f"{GROUP}/attempt"
"""On build pods: which attempt of the run, from 1."""
LABEL_TRUST = f"{GROUP}/trust"
"""On pods of builds that are not trusted, with the value untrusted: a NetworkPolicy chooses them by it."""
UNTRUSTED = "untrusted"

ANNOTATION_PLAN = f"{GROUP}/plan"
"""On build pods: what the runner is to do (contract/plan.py)."""
ANNOTATION_INPUTS = f"{GROUP}/inputs-hash"
"""On build pods: the inputs the pod was made for; equal to status.run.inputsHash."""
ANNOTATION_STOP = f"{GROUP}/stop"
"""On build pods: set by the operator to stop the runner; the value is a reason."""
ANNOTATION_SUBID = f"{GROUP}/subuid"
"""On build pods with user namespaces: the content of /etc/subuid and /etc/subgid."""
ANNOTATION_REBUILD_AT = f"{GROUP}/rebuild-at"
"""On ImageBuilds, set by users: an RFC 3339 time; newer than the last run's start, it starts a new run. On build pods:
the time that asked for their run."""

ANNOTATION_CANCEL = f"{GROUP}/cancel"
"""On ImageBuilds, set by users: the number of the run to cancel. Any other number than the current run's does nothing,
so that a tool which puts it back, or never removes it, cancels nothing twice."""
ANNOTATION_DONE_AT = f"{GROUP}/done-at"
"""On ImageBuilds, set by users: an RFC 3339 time; newer than the last run's start, it marks the inputs as they are now
as done, without building them: for clusters that were restored."""
ANNOTATION_TRACEPARENT = f"{GROUP}/traceparent"
"""On ImageBuilds, set by users: the span that the next run is a part of, as W3C's Trace Context writes it."""
ANNOTATION_JOB = f"{GROUP}/job"
"""On ImageBuilds, set by the command line: where people see the CI job that has asked for it."""
ANNOTATION_POD_HASH = f"{GROUP}/pod-hash"
"""On build pods: over all that the pod was made from, so that a correction of the spec can replace one that waits."""
ANNOTATION_GENERATION = f"{GROUP}/generation"
"""On build pods: the generation of the ImageBuild that the pod was made from."""
ANNOTATION_ARCHIVE = f"{GROUP}/archive"
"""On build pods: the repository where the log is archived."""

LABEL_CACHE = f"{GROUP}/cache"
"""On claims that the operator keeps for cache.volume.template: a hash of what they are for."""
ANNOTATION_CACHE_OF = f"{GROUP}/cache-of"
"""On these claims: what they are for, in words."""
ANNOTATION_LAST_USED = f"{GROUP}/last-used"
"""On these claims: about when a build has used it last; the operator writes it at most every tenth of the time that
unused claims stay."""

_OF_OTHERS = {
    MANAGED_BY,
    "cluster-autoscaler.kubernetes.io/safe-to-evict",
    "karpenter.sh/do-not-disrupt",
    "sidecar.istio.io/inject",
    "linkerd.io/inject",
}
"""Keys of others that build pods always have, with values of ours."""


def is_ours(key: str) -> bool:
    """A label or annotation of build pods that only the operator writes."""
    return key in _OF_OTHERS or key.partition("/")[0] == GROUP or key.partition("/")[0].endswith(f".{GROUP}")


_LABEL_VALUE_MAX = 63
_HASH_LENGTH = 10


def label_value(name: str) -> str:
    """An object's name (at most 253 characters) as a label value (at most 63); different names stay different."""
    return shorten(name, _LABEL_VALUE_MAX)


def shorten(name: str, limit: int) -> str:
    """The name, or its beginning and a hash of the whole of it where it is longer than `limit`."""
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{name[: limit - _HASH_LENGTH - 1].rstrip('.-')}-{digest}"
