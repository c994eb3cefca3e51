"""The operator's own pods: Pod Security level restricted admits them, and the kernel says that they have nothing more."""

from __future__ import annotations

from typing import Any

import pytest

from testbed.deploy import DEPLOYMENT, NAMESPACE
from testbed.kubectl import Document, Kubectl, KubectlError

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("operator")]
NO_CAPABILITIES = "0" * 16


@pytest.fixture(scope="module")
def home(kubectl: Kubectl) -> Kubectl:
    return kubectl.within(NAMESPACE)


def inside(home: Kubectl, program: str) -> str:
    return home("exec", DEPLOYMENT, "--", "python3", "-c", program)


def with_change(pod: Document, field: str, value: Any) -> Document:
    """As the template of the Deployment is, but for one field of the container's security context."""
    container = pod["spec"]["containers"][0]
    changed = {**container, "securityContext": {**container["securityContext"], field: value}}
    return {**pod, "spec": {**pod["spec"], "containers": [changed]}}


def test_its_namespace_enforces_restricted(home: Kubectl) -> None:
    labels = home.get("namespace", NAMESPACE)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize(
    ("field", "value"),
    [("allowPrivilegeEscalation", True), ("capabilities", {"add": ["NET_RAW"], "drop": ["ALL"]}), ("runAsUser", 0)],
)
def test_one_right_more_and_the_api_server_refuses_it(home: Kubectl, field: str, value: Any) -> None:
    template = home.get(DEPLOYMENT)["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "as-the-operator"}, "spec": template["spec"]}
    home.create(pod, "--dry-run=server")
    with pytest.raises(KubectlError, match=r'violates PodSecurity "restricted'):
        home.create(with_change(pod, field, value), "--dry-run=server")


def test_the_kernel_gives_it_no_user_no_capability_and_no_way_to_more(home: Kubectl) -> None:
    status = inside(home, "print(open('/proc/self/status').read())")
    said = dict(line.split(":\t", 1) for line in status.strip().splitlines() if ":\t" in line)
    assert (said["Uid"].split(), said["Gid"].split()) == (["65532"] * 4, ["65532"] * 4)
    assert {said[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {NO_CAPABILITIES}
    assert (said["NoNewPrivs"], said["Seccomp"]) == ("1", "2")


@pytest.mark.parametrize("path", ["/opt/imagebuild/x", "/etc/x", "/tmp/x", "/x"])
def test_it_can_write_no_file(home: Kubectl, path: str) -> None:
    with pytest.raises(KubectlError, match="Read-only file system"):
        inside(home, f"open({path!r}, 'w')")
