"""Which isolation mode would do where a cluster or a node cannot do the one that a pod was made for.

It is named, and never chosen: how well builds are kept from their nodes is for the administrator to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from imagebuild.api.config import Isolation

__all__ = ["naming"]

_UNMASKED = re.compile(r"\bprocMount\b|\bProcMountType\b")
"""Pod Security before 1.35, and policies that were made for it."""
_USER_NAMESPACE = re.compile(
    r"\bhostUsers\b|\bUserNamespaces|\buser namespaces?\b|idmap|MOUNT_ATTR_IDMAP|id-?mapped", re.IGNORECASE
)
"""A policy, a kubelet, a runtime or a file system that knows none."""


def naming(message: str, spec: Mapping[str, Any], limit: int) -> str:
    """The message of whoever refused the pod, at most so many characters, and the mode that would do, if one would."""
    mode = _mode(spec)
    found = _next(message, mode)
    if found is None:
        return message[:limit]
    words = f" - the isolation mode {mode} does not work here; the next one is {found}"
    return message[: limit - len(words)] + words


def _mode(spec: Mapping[str, Any]) -> Isolation:
    if spec.get("hostUsers", True):
        return Isolation.ROOTLESS
    contexts = (each.get("securityContext") or {} for each in spec.get("containers") or ())
    unmasked = any(each.get("procMount") == "Unmasked" for each in contexts)
    return Isolation.USERNS if unmasked else Isolation.USERNS_MASKED


def _next(message: str, mode: Isolation) -> Isolation | None:
    if mode is Isolation.USERNS and _UNMASKED.search(message):
        return Isolation.USERNS_MASKED
    if mode is not Isolation.ROOTLESS and _USER_NAMESPACE.search(message):
        return Isolation.ROOTLESS
    return None
