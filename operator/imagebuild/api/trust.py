"""Whether what is built is trusted: said by the administrator for a namespace, and lowered by a spec."""

from __future__ import annotations

from enum import StrEnum


class Trust(StrEnum):
    """How far whoever wrote what is built is trusted."""

    TRUSTED = "Trusted"
    """As the namespace's own people are."""
    UNTRUSTED = "Untrusted"
    """Not at all, as a fork's pull request: the build runs in Userns or not at all, is read by BuildKit's own frontend,
    gets no secrets, SSH keys, service account and volumes for caches, writes no cache, and reaches what the
    administrator lists."""
