"""The component operator-bounds: the API server takes build pods from the operator, and no others.

The policy is applied as it is, for an operator of this test's own in a namespace of its own: others use the cluster.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
import yaml

from imagebuild.api import names
from testbed.kubectl import Document, Kubectl, KubectlError, until
from testbed.place import ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("bounds")]

POLICY = ROOT / "manifests" / "components" / "operator-bounds" / "policy.yaml"
GOLDEN = sorted((ROOT / "tests" / "golden").glob("*.yaml"))
BUILDER = "registry.example.com/imagebuild/builder:1"
DIGEST = "@sha256:" + "0" * 64
OTHER = "registry.example.com/other:1"


class Bounded:
    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl
        self.user = f"system:serviceaccount:{kubectl.namespace}:imagebuild-operator"

    def builder(self, image: str) -> None:
        """As a patch of the overlay does."""
        (found,) = (
            each
            for each in self.policy()
            if each["kind"] == "ValidatingAdmissionPolicy" and "variables" in each["spec"]
        )
        found["spec"]["variables"][0]["expression"] = json.dumps(image)
        self.kubectl.apply(found)

    def policy(self) -> list[Document]:
        text = POLICY.read_text().replace("imagebuild-system", self.kubectl.namespace)
        return list(yaml.safe_load_all(text.replace("imagebuild-operator-bounds", self.kubectl.namespace)))

    def rights(self, role: str) -> Document:
        return {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": self.user}],
        }

    def creates(self, pod: Document, *words: str) -> None:
        self.kubectl.create(pod, f"--as={self.user}", *words)

    def refusal(self, pod: Document) -> str:
        """What the API server says; empty where it would take the pod."""
        try:
            self.creates(pod, "--dry-run=server")
        except KubectlError as error:
            return str(error)
        return ""


@pytest.fixture(scope="module")
def bounded(operator: None, kubectl: Kubectl) -> Iterator[Bounded]:
    name = f"e2e-bounds-{secrets.token_hex(3)}"  # without a Pod Security level: that would refuse some of them first
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    made = Bounded(kubectl.within(name))
    policy = made.policy()
    try:
        made.kubectl.apply(
            *(made.rights(role) for role in ("imagebuild-operator", "imagebuild-operator-cache-volumes"))
        )
        kubectl.apply(*policy)
        until("the policy to bind", lambda: "the builder image" in made.refusal(pod()))
        made.builder(BUILDER)
        until("the policy to know the image", lambda: not made.refusal(pod()))
        yield made
    finally:
        for each in policy:
            kubectl("delete", each["kind"], each["metadata"]["name"], "--ignore-not-found")
        kubectl("delete", "namespace", name, "--wait=false")


def pod(name: str = "isolation-rootless", **spec: Any) -> Document:
    document = deepcopy(next(yaml.safe_load_all((ROOT / "tests" / "golden" / f"{name}.yaml").read_text())))
    del document["metadata"]["namespace"]
    return {**document, "spec": {**document["spec"], **spec}}


def with_container(**fields: Any) -> Document:
    made = pod()
    made["spec"]["containers"][0].update(fields)
    return made


def with_metadata(**fields: Any) -> Document:
    made = pod()
    made["metadata"].update(fields)
    return made


def _security(**fields: Any) -> dict[str, Any]:
    return {**pod()["spec"]["containers"][0]["securityContext"], **fields}


OWNER = pod()["metadata"]["ownerReferences"][0]
BAD = {
    "another image": (with_container(image=OTHER), "the builder image"),
    "another digest": (with_container(image=BUILDER + DIGEST), "the builder image"),
    "another program": (with_container(command=["sh", "-c", "id"]), "runs the runner"),
    "arguments": (with_container(args=["--plan=/x"]), "runs the runner"),
    "a second container": (
        pod(containers=[*pod()["spec"]["containers"], {"name": "b", "image": BUILDER}]),
        "nothing else",
    ),
    "a container before it": (pod(initContainers=[{"name": "b", "image": BUILDER}]), "nothing else"),
    "no owner": (with_metadata(ownerReferences=[]), "belongs to an ImageBuild"),
    "another owner": (with_metadata(ownerReferences=[{**OWNER, "apiVersion": "v1", "kind": "Pod"}]), "belongs to"),
    "no label of the operator": (with_metadata(labels={}), "no pod but those it has made"),
    "a path of the node": (
        pod(volumes=[*pod()["spec"]["volumes"], {"name": "a", "hostPath": {"path": "/"}}]),
        "nothing of its node",
    ),
    "the node's network": (pod(hostNetwork=True), "nothing of its node"),
    "the node's processes": (pod(hostPID=True), "nothing of its node"),
    "a port of the node": (with_container(ports=[{"containerPort": 1, "hostPort": 1}]), "nothing of its node"),
    "privilege": (with_container(securityContext=_security(privileged=True)), "no privilege"),
    "no AppArmor": (
        with_container(securityContext=_security(appArmorProfile={"type": "Unconfined"})),
        "AppArmor profile of its node",
    ),
    "root": (pod(securityContext={"runAsUser": 0}), "user 1000"),
    "root in the container": (with_container(securityContext=_security(runAsUser=0, runAsNonRoot=False)), "user 1000"),
    "a capability": (
        with_container(securityContext=_security(capabilities={"add": ["SYS_ADMIN"]})),
        "SETUID and SETGID",
    ),
    "a token": (pod(automountServiceAccountToken=True), "no service account's token"),
}


@pytest.mark.parametrize("name", [path.stem for path in GOLDEN])
def test_each_pod_that_the_operator_makes_is_taken(bounded: Bounded, name: str) -> None:
    # the API server knows none of these names
    unknown = {"priorityClassName": None, "runtimeClassName": None, "serviceAccountName": None}
    assert bounded.refusal(pod(name, **unknown)) == ""


@pytest.mark.parametrize("name", BAD)
def test_no_other_pod_is(bounded: Bounded, name: str) -> None:
    made, sentence = BAD[name]
    assert sentence in bounded.refusal(made)


def test_the_image_may_be_named_by_its_digest_with_a_tag_or_without(bounded: Bounded) -> None:
    try:
        bounded.builder(BUILDER.replace(":1", "") + DIGEST)
        until("the digest to be known", lambda: not bounded.refusal(with_container(image=BUILDER + DIGEST)))
        assert "the builder image" in bounded.refusal(pod())
    finally:
        bounded.builder(BUILDER)
        until("the policy to know the image", lambda: not bounded.refusal(pod()))


def attempt(what: Callable[[], object]) -> str:
    with pytest.raises(KubectlError) as refused:
        what()
    return str(refused.value)


def test_a_pod_of_somebody_else_is_neither_changed_nor_deleted_and_its_own_keep_their_image(bounded: Bounded) -> None:
    gated: dict[str, Any] = {"schedulingGates": [{"name": "example.com/never"}]}  # nobody is to run them
    spec = {**gated, "containers": [{"name": "build", "image": BUILDER}]}
    # without an owner: the garbage collector takes away what has one that does not exist
    labels = {"labels": {names.MANAGED_BY: names.MANAGER}}
    for name, more in (("theirs", {}), ("own", labels)):
        bounded.kubectl.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **more}, "spec": spec})
    as_operator = f"--as={bounded.user}"
    change = json.dumps({"metadata": {"annotations": {"imagebuild.dev/stop": "Cancelled"}}})
    image = json.dumps({"spec": {"containers": [{"name": "build", "image": "registry.example.com/other:1"}]}})
    kubectl = bounded.kubectl
    assert "no pod but those" in attempt(lambda: kubectl("patch", "pod", "theirs", f"--patch={change}", as_operator))
    assert "no pod but those" in attempt(lambda: kubectl("delete", "pod", "theirs", "--wait=false", as_operator))
    assert "may not change the image" in attempt(
        lambda: kubectl("patch", "pod", "own", f"--patch={image}", as_operator)
    )
    kubectl("patch", "pod", "own", f"--patch={change}", as_operator)
    kubectl("delete", "pod", "own", "--wait=false", as_operator)


def test_a_claim_of_somebody_else_is_neither_changed_nor_deleted(bounded: Bounded) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}, "storageClassName": "none"}
    labels = {"labels": {names.MANAGED_BY: names.MANAGER}}
    kubectl, as_operator = bounded.kubectl, f"--as={bounded.user}"
    for name, more in (("theirs", {}), ("own", labels)):
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, **more}, "spec": spec}
        kubectl.create(claim)
    change = json.dumps({"metadata": {"annotations": {"imagebuild.dev/last-used": "now"}}})
    assert "no claim but those" in attempt(lambda: kubectl("patch", "pvc", "theirs", f"--patch={change}", as_operator))
    assert "no claim but those" in attempt(lambda: kubectl("delete", "pvc", "theirs", "--wait=false", as_operator))
    kubectl("patch", "pvc", "own", f"--patch={change}", as_operator)
    kubectl("delete", "pvc", "own", "--wait=false", as_operator)
