"""What a node or a policy can take away from a build pod, and what the runner makes of the daemon's words about it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import pytest

from e2e.test_cluster import build_pod
from imagebuild.core.seccomp import PROFILE
from imagebuild.runner.daemon import cause
from testbed.kubectl import Document, Kubectl, until

pytestmark = pytest.mark.cluster

START = 'timeout 20 rootlesskit buildkitd --addr=unix:///run/user/1000/buildkitd.sock "$@"; grep NoNewPrivs /proc/self/status'
CAUSES = {
    "escalation": "allowPrivilegeEscalation: false",
    "seccomp": "the seccomp profile forbids user namespaces",
    "sub-ids": "/etc/subuid do not fit the pod's user namespace",
}


def pods(builder: str) -> list[Document]:
    """Each lacks one thing."""
    whole = build_pod("UsernsMasked", builder, "none")
    spec = whole["spec"]
    spec["containers"][0]["command"] = ["sh", "-c", START, "sh"]
    spec["containers"][0]["volumeMounts"] = [
        mount for mount in spec["containers"][0]["volumeMounts"] if mount["name"] not in {"config", "login"}
    ]
    spec["volumes"] = [volume for volume in spec["volumes"] if volume["name"] not in {"config", "login"}]
    spec["containers"][0]["securityContext"]["seccompProfile"] = {"type": "Localhost", "localhostProfile": PROFILE}
    made = {name: deepcopy(whole) for name in CAUSES}
    for name, pod in made.items():
        pod["metadata"]["name"] = name
    _security(made["escalation"])["allowPrivilegeEscalation"] = False
    _security(made["seccomp"])["seccompProfile"] = {"type": "RuntimeDefault"}
    made["sub-ids"]["metadata"]["annotations"]["sub-ids"] = "user:100000:65536\n"
    return list(made.values())


def _security(pod: Document) -> Document:
    found: Document = pod["spec"]["containers"][0]["securityContext"]
    return found


def test_what_keeps_the_daemon_from_starting_is_named(operator: None, new_namespace: Callable[[], Kubectl]) -> None:
    kubectl = new_namespace()
    for pod in pods(kubectl.place.builder_image):
        kubectl.create(pod)
    for name, expected in CAUSES.items():
        until(f"the end of {name}", partial(_ended, kubectl, name))
        log = kubectl("logs", name)
        assert expected in cause(log, log), log


def _ended(kubectl: Kubectl, name: str) -> bool:
    return bool(kubectl.get("pod", name)["status"]["phase"] == "Succeeded")
