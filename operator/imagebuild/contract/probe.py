"""What `imagebuild doctor` and its probe pods agree on: a build that needs no registry, and what its node is like.

A probe pod is a build pod with another entry. Its termination message is a build's, with a third line for the facts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from imagebuild.contract.codec import decode, encode
from imagebuild.contract.layout import RUNNER_COMMAND

__all__ = ["COMMAND", "DOCKERFILE", "PROGRAM", "Facts", "dump", "parse"]

COMMAND = (*RUNNER_COMMAND[:-1], "imagebuild.runner.probe")
PROGRAM = "program"
"""In the build context: a static program that ends well with --version. So the build needs no registry."""
DOCKERFILE = f"""\
FROM scratch
COPY {PROGRAM} /{PROGRAM}
USER 65534:65534
RUN ["/{PROGRAM}", "--version"]
"""
"""The user is not root, so that a map of one id alone is not enough."""

_TEXT_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """As seen from the build container. None: it does not say."""

    version: str = ""
    """Of the builder image."""
    kernel: str = ""
    uid_map: str = ""
    """The pod's own: one without a user namespace maps each id to itself."""
    proc_masked: bool = False
    """Parts of /proc are covered, so that no step can have a /proc of its own."""
    no_new_privileges: bool = False
    confinement: str = ""
    """The profile of AppArmor, or the label of SELinux."""
    max_user_namespaces: int | None = None
    unprivileged_userns_clone: int | None = None
    apparmor_restricts_userns: int | None = None
    filesystem: str = ""
    """Of the volume that BuildKit works in."""
    disk_free: int | None = None
    """MiB there."""
    memory_limit: int | None = None
    """MiB, of the container."""


def dump(facts: Facts) -> str:
    """One line; with the two of a result it is less than what the kubelet keeps."""
    return json.dumps(_cut(encode(facts)), separators=(",", ":"), ensure_ascii=False)


def parse(message: str) -> Facts | None:
    """Of a termination message. None: it has no such line, or not one that can be read."""
    lines = message.split("\n")
    try:
        return decode(Facts, _cut(json.loads(lines[2])))
    except (IndexError, ValueError, RecursionError):
        return None


def _cut(document: object) -> object:
    if not isinstance(document, dict):
        return document
    return {key: value[:_TEXT_MAX] if isinstance(value, str) else value for key, value in document.items()}
