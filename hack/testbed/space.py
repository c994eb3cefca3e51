"""Namespaces for a while, with which everything in them goes. For hack/soak and hack/bench."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from testbed.kubectl import Kubectl

BASELINE = {"pod-security.kubernetes.io/enforce": "baseline"}


@contextmanager
def namespaces(kubectl: Kubectl, prefix: str, *suffixes: str) -> Iterator[list[Kubectl]]:
    made = [f"{prefix}-{secrets.token_hex(3)}-{suffix}" for suffix in suffixes]
    for name in made:
        kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": BASELINE}})
    try:
        yield [kubectl.within(name) for name in made]
    finally:
        kubectl("delete", "namespace", "--wait=false", *made)
