"""The component operator-bounds: the API server takes build pods from the operator, and no others.

The policy is applied as it is, for an operator of this test's own in a namespace of its own: others use the cluster.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from e2e.boundedpods import BAD, BUILDER, DIGEST, GOLDEN, OWNER, TAKEN, pod, with_container
from imagebuild.api import names
from testbed.kubectl import Document, Kubectl, KubectlError, until
from testbed.place import ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("bounds")]

POLICY = ROOT / "manifests" / "components" / "operator-bounds" / "policy.yaml"
VARIABLES = ("image", "seccomp", "audiences")
"""Where docs/security.md says that they are: patches know them by their places."""


class Bounded:
    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl
        self.user = f"system:serviceaccount:{kubectl.namespace}:imagebuild-operator"

    def says(self, **values: str | list[str]) -> None:
        """As a patch of the overlay does; all else is as it is for these tests."""
        (found,) = (
            each
            for each in self.policy()
            if each["kind"] == "ValidatingAdmissionPolicy" and "variables" in each["spec"]
        )
        for name, value in {"image": BUILDER, **values}.items():
            found["spec"]["variables"][VARIABLES.index(name)]["expression"] = json.dumps(value)
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
        made.says()
        until("the policy to know the image", lambda: not made.refusal(pod()))
        yield made
    finally:
        for each in policy:
            kubectl("delete", each["kind"], each["metadata"]["name"], "--ignore-not-found")
        kubectl("delete", "namespace", name, "--wait=false")


# the API server knows none of these names
UNKNOWN = {"priorityClassName": None, "runtimeClassName": None, "serviceAccountName": None}
UNCONFINED = "configuration-unconfined"


@pytest.mark.parametrize("name", [path.stem for path in GOLDEN if path.stem != UNCONFINED])
def test_each_pod_that_the_operator_makes_is_taken(bounded: Bounded, name: str) -> None:
    assert bounded.refusal(pod(name, **UNKNOWN)) == ""


@pytest.mark.parametrize("name", TAKEN)
def test_what_clouds_add_for_an_identity_is_taken(bounded: Bounded, name: str) -> None:
    assert bounded.refusal(TAKEN[name]) == ""


def test_a_pod_without_a_seccomp_profile_is_taken_where_the_policy_says_so(bounded: Bounded) -> None:
    unconfined = pod(UNCONFINED, **UNKNOWN)
    assert "seccompUnconfined needs a patch" in bounded.refusal(unconfined)
    try:
        bounded.says(seccomp=["Localhost", "Unconfined"])
        until("it to be taken", lambda: not bounded.refusal(unconfined))
    finally:
        bounded.says()
        until("the policy to be as it was", lambda: bounded.refusal(unconfined))


@pytest.mark.parametrize("name", BAD)
def test_no_other_pod_is(bounded: Bounded, name: str) -> None:
    made, sentence = BAD[name]
    assert sentence in bounded.refusal(made)


def test_the_image_may_be_named_by_its_digest_with_a_tag_or_without(bounded: Bounded) -> None:
    try:
        bounded.says(image=BUILDER.replace(":1", "") + DIGEST)
        until("the digest to be known", lambda: not bounded.refusal(with_container(image=BUILDER + DIGEST)))
        assert "the builder image" in bounded.refusal(pod())
    finally:
        bounded.says()
        until("the policy to know the image", lambda: not bounded.refusal(pod()))


def attempt(what: Callable[[], object]) -> str:
    with pytest.raises(KubectlError) as refused:
        what()
    return str(refused.value)


def test_a_pod_of_somebody_else_is_neither_changed_nor_deleted_and_its_own_keep_image_and_owner(
    bounded: Bounded,
) -> None:
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
    owner = json.dumps({"metadata": {"ownerReferences": [OWNER]}})
    assert "to whom a pod belongs" in attempt(lambda: kubectl("patch", "pod", "own", f"--patch={owner}", as_operator))
    stop = json.dumps({**json.loads(change), "spec": {"activeDeadlineSeconds": 60}})
    kubectl("patch", "pod", "own", f"--patch={stop}", as_operator)
    kubectl("delete", "pod", "own", "--wait=false", as_operator)


def test_a_claim_of_somebody_else_is_neither_changed_nor_deleted_and_its_own_choose_no_volume(
    bounded: Bounded,
) -> None:
    kubectl, as_operator = bounded.kubectl, f"--as={bounded.user}"
    for name, more in (("theirs", {}), ("own", {"labels": {names.MANAGED_BY: names.MANAGER}})):
        kubectl.create(claim(name, more))
    change = json.dumps({"metadata": {"annotations": {"imagebuild.dev/last-used": "now"}}})
    assert "no claim but those" in attempt(lambda: kubectl("patch", "pvc", "theirs", f"--patch={change}", as_operator))
    assert "no claim but those" in attempt(lambda: kubectl("delete", "pvc", "theirs", "--wait=false", as_operator))
    chosen = claim("chosen", {"labels": {names.MANAGED_BY: names.MANAGER}}, volumeName="any")
    assert "choose the volume" in attempt(lambda: bounded.creates(chosen))
    volume = json.dumps({"spec": {"volumeName": "any"}})
    assert "choose the volume" in attempt(lambda: kubectl("patch", "pvc", "own", f"--patch={volume}", as_operator))
    kubectl("patch", "pvc", "own", f"--patch={change}", as_operator)
    kubectl("delete", "pvc", "own", "--wait=false", as_operator)


def claim(name: str, more: Document, **spec: Any) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, **more},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Mi"}},
            "storageClassName": "none",
            **spec,
        },
    }
