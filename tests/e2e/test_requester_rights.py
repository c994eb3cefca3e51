"""The component requester-rights: who may neither get nor use a Secret has no build use it, for the API server itself.

The policies are applied as they are, under names of this test's own and for its namespace alone: others use the cluster.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import yaml

from e2e.story import Story
from generator.rights import MOST, secret_paths
from testbed.kubectl import Document, Kubectl, KubectlError, until
from testbed.place import ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("requester-rights")]

COMPONENT = ROOT / "manifests" / "components" / "requester-rights"
OWN, USED, THEIRS = "own", "used", "theirs"
MAY_BUILD = {
    "apiGroups": ["imagebuild.dev"],
    "resources": ["imagebuilds"],
    "verbs": ["create", "get", "patch", "update"],
}


class People:
    """Ana gets one Secret and may use others; Bob may create ImageBuilds and nothing else; Cy has the ClusterRole edit."""

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl

    def policy(self) -> list[Document]:
        """For one namespace, which is how an administrator would limit it, too."""
        text = (COMPONENT / "policy.yaml").read_text().replace("imagebuild-requester", self.kubectl.namespace)
        documents = list(yaml.safe_load_all(text))
        for each in documents:
            if each["kind"] == "ValidatingAdmissionPolicyBinding":
                here = {"matchLabels": {"kubernetes.io/metadata.name": self.kubectl.namespace}}
                each["spec"]["matchResources"] = {"namespaceSelector": here}
        return documents

    def rights(self, name: str, *rules: Document) -> list[Document]:
        kind, reference = "rbac.authorization.k8s.io/v1", {"apiGroup": "rbac.authorization.k8s.io", "name": name}
        return [
            {"apiVersion": kind, "kind": "Role", "metadata": {"name": name}, "rules": list(rules)},
            {
                "apiVersion": kind,
                "kind": "RoleBinding",
                "metadata": {"name": name},
                "roleRef": {**reference, "kind": "Role"},
                "subjects": [{**reference, "kind": "User"}],
            },
        ]

    def edits(self, name: str) -> Document:
        reference = {"apiGroup": "rbac.authorization.k8s.io"}
        return {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "edit"},
            "roleRef": {**reference, "kind": "ClusterRole", "name": "edit"},
            "subjects": [{**reference, "kind": "User", "name": name}],
        }

    def refusal(self, who: str, **spec: Any) -> str:
        """What the API server says; empty where it would take the ImageBuild."""
        try:
            self.kubectl.create(build("tried", **spec), f"--as={who}", "--dry-run=server")
        except KubectlError as error:
            return str(error)
        return ""

    def changes(self, who: str, name: str, **metadata_or_spec: Any) -> str:
        """The same of a merge patch."""
        patch = json.dumps(metadata_or_spec)
        try:
            self.kubectl("patch", "imagebuild", name, "--type=merge", f"--patch={patch}", f"--as={who}")
        except KubectlError as error:
            return str(error)
        return ""


def build(name: str, **spec: Any) -> Document:
    inline = {"dockerfile": {"inline": "FROM scratch"}, "output": {"discard": True}}
    document = {"apiVersion": "imagebuild.dev/v1alpha1", "kind": "ImageBuild", "metadata": {"name": name}}
    return {**document, "spec": {**inline, **spec}}


def may(resource: str, verb: str, *names: str) -> Document:
    return {"apiGroups": [""], "resources": [resource], "verbs": [verb], "resourceNames": list(names)}


def many(number: int) -> list[str]:
    """As long as names can be: what the API server spends on a policy grows with them."""
    return [f"many-{index}-".ljust(253, "x") for index in range(number)]


def _says(people: People, spec: dict[str, Any], said: str) -> bool:
    """And not what RBAC says until it knows the new roles."""
    return said in people.refusal("ana", **spec)


@pytest.fixture(scope="module")
def people(operator: None, kubectl: Kubectl) -> Iterator[People]:
    name = f"e2e-rights-{secrets.token_hex(3)}"
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    made = People(kubectl.within(name))
    policy = made.policy()
    (use,) = yaml.safe_load_all((COMPONENT / "rbac.yaml").read_text())
    try:
        made.kubectl.apply(
            *made.rights(
                "ana",
                MAY_BUILD,
                may("secrets", "get", OWN),
                may("secrets", "use", USED, *many(MOST)),
                may("serviceaccounts", "impersonate", OWN),
                may("serviceaccounts", "use", USED),
            ),
            *made.rights("bob", MAY_BUILD),
            *made.rights("dan", MAY_BUILD, {**may("secrets", "use"), "resourceNames": []}),
            made.edits("cy"),
        )
        kubectl.apply({**use, "metadata": {"name": name}})  # without its labels: not for everybody in the cluster
        kubectl.apply(*policy)
        for spec, said in (
            ({"registrySecrets": [{"name": THEIRS}]}, "may neither get nor use"),
            ({"pod": {"serviceAccountName": THEIRS}}, "may neither impersonate nor use"),
        ):
            until(f"the policy that says {said}", partial(_says, made, spec, said))
        yield made
    finally:
        for each in policy:
            kubectl("delete", each["kind"], each["metadata"]["name"], "--ignore-not-found")
        kubectl("delete", "clusterrole", name, "--ignore-not-found")
        kubectl("delete", "namespace", name, "--wait=false")


URL = "https://git.example.com/a.git"


def naming(name: str) -> dict[str, dict[str, Any]]:
    """By each path of a Secret's name, a spec that has this name there and no other."""
    reference = {"secretRef": {"name": name}}
    git, archive = {"url": URL, **reference}, {"url": f"{URL}.tar", **reference}
    return {
        "source.git.secretRef.name": {"source": {"git": git}},
        "source.http.secretRef.name": {"source": {"http": archive}},
        "contexts[].git.secretRef.name": {"contexts": [{"name": "a", "git": git}]},
        "contexts[].http.secretRef.name": {"contexts": [{"name": "a", "http": archive}]},
        "secrets[].secretKeyRef.name": {"secrets": [{"id": "a", "secretKeyRef": {"name": name, "key": "a"}}]},
        "ssh[].secretRef.name": {"ssh": [{"id": "a", **reference}]},
        "cache.s3Credentials.name": {"cache": {"s3Credentials": {"name": name}}},
        "registrySecrets[].name": {"registrySecrets": [{"name": name}]},
    }


@pytest.mark.parametrize("path", secret_paths())
def test_a_secret_is_named_by_who_may_get_or_use_it_and_by_nobody_else(people: People, path: str) -> None:
    assert f"names the Secret {THEIRS}, which ana may neither get nor use" in people.refusal(
        "ana", **naming(THEIRS)[path]
    )
    assert people.refusal("ana", **naming(OWN)[path]) == ""
    assert people.refusal("ana", **naming(USED)[path]) == ""
    assert people.refusal("cy", **naming(THEIRS)[path]) == ""
    assert people.refusal("dan", **naming(THEIRS)[path]) == ""


def test_a_secret_among_others_is_found_and_named(people: People) -> None:
    said = people.refusal("ana", registrySecrets=[{"name": OWN}, {"name": OWN}, {"name": USED}, {"name": THEIRS}])
    assert f"names the Secret {THEIRS}," in said


def test_who_names_no_secret_needs_no_right(people: People) -> None:
    assert people.refusal("bob") == ""


@pytest.mark.parametrize("who", ["ana", "bob"])
def test_a_service_account_is_named_by_who_may_be_it_or_use_it(people: People, who: str) -> None:
    refused = people.refusal(who, pod={"serviceAccountName": THEIRS})
    assert f"names the service account {THEIRS}, which {who} may neither impersonate nor use" in refused
    for name in (OWN, USED):
        assert bool(people.refusal(who, pod={"serviceAccountName": name})) == (who == "bob")
    assert people.refusal("cy", pod={"serviceAccountName": THEIRS}) == ""


def longest(names: list[str]) -> dict[str, Any]:
    """All lists as long as the CRD takes them, with these names in turn."""
    turn = (names[index % len(names)] for index in range(1000))
    return {
        "source": {"git": {"url": URL, "secretRef": {"name": next(turn)}}},
        "contexts": [
            {"name": f"c{index}", "git": {"url": URL, "secretRef": {"name": next(turn)}}} for index in range(16)
        ],
        "secrets": [{"id": f"s{index}", "secretKeyRef": {"name": next(turn), "key": "a"}} for index in range(32)],
        "ssh": [{"id": f"k{index}", "secretRef": {"name": next(turn)}} for index in range(16)],
        "cache": {"s3Credentials": {"name": next(turn)}},
        "registrySecrets": [{"name": next(turn)} for _ in range(16)],
    }


def test_the_longest_lists_are_looked_at_whole_as_long_as_they_name_a_dozen_secrets(people: People) -> None:
    assert people.refusal("ana", **longest(many(MOST))) == ""
    assert f"names the Secret {THEIRS}," in people.refusal("ana", **longest([*many(MOST - 1), THEIRS]))


def test_more_secrets_than_can_be_looked_at_are_refused_in_words(people: People) -> None:
    for names in (many(MOST), many(1000)):
        assert f"names more than {MOST} Secrets" in people.refusal("ana", **longest([OWN, *names]))


def test_who_may_use_all_secrets_may_name_any_number(people: People) -> None:
    for who in ("cy", "dan"):
        assert people.refusal(who, **longest(many(1000))) == ""


def test_somebody_elses_build_is_changed_in_all_but_what_it_does_with_its_secrets(people: People) -> None:
    spec = {"registrySecrets": [{"name": OWN}], "pod": {"serviceAccountName": OWN}}
    people.kubectl.create(build("hers", **spec), "--as=ana")
    # the operator's own writes are taken, too
    until("the operator to see it", lambda: Story(people.kubectl).status("hers"))
    assert (
        people.changes("bob", "hers", metadata={"labels": {"team": "b"}, "annotations": {"example.com/a": "b"}}) == ""
    )
    assert people.changes("bob", "hers", spec={**build("hers", **spec)["spec"]}) == ""
    assert people.changes("bob", "hers", spec={"suspend": True, "timeouts": {"build": "2h"}}) == ""
    assert people.changes("bob", "hers", spec={"timeouts": None}) == ""
    for change in (
        {"dockerfile": {"inline": "FROM busybox\nRUN cat /run/secrets/*"}},  # what he may not read, by other means
        {"args": {"A": "b"}},
        {"contexts": [{"name": "a", "image": "busybox:1.37"}]},
    ):
        assert "own, which bob may neither" in people.changes("bob", "hers", spec=change)
    assert f"the Secret {THEIRS}," in people.changes("ana", "hers", spec={"registrySecrets": [{"name": THEIRS}]})
    assert people.changes("ana", "hers", spec={"args": {"A": "b"}}) == ""
    assert "own, which bob may neither" in people.changes("bob", "hers", spec={"args": None})


def test_the_story_of_a_ci_job_that_may_use_what_it_may_not_read(people: People) -> None:
    """It needs no get: a build that waits for the Secret that it names shows that it was taken."""
    people.kubectl.create(build("job", registrySecrets=[{"name": USED}]), "--as=ana")
    Story(people.kubectl).reaches("job", reason="SecretMissing")
    with pytest.raises(KubectlError, match="forbidden"):
        people.kubectl("get", "secret", USED, "--as=ana")
