"""manifests/tenant under the overlay that docs/security.md shows: a team builds in it, and gets no further."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from documents import Block, blocks
from e2e.story import Story
from testbed.kubectl import Document, Kubectl, KubectlError, until
from testbed.place import ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("tenant")]

PERSON = ("--as=ana", "--as-group=shop-developers")
TEAM, FORKS = (block for block in blocks(ROOT / "docs" / "security.md") if "manifests/tenant" in block.text)


@contextmanager
def applied(shown: Block, name: str, kubectl: Kubectl, directory: Path) -> Iterator[Story]:
    """What the page shows, but for the name of the namespace."""
    base = os.path.relpath(ROOT / "manifests" / "tenant", directory)
    (overlay,) = shown.documents
    (directory / "kustomization.yaml").write_text(json.dumps({**overlay, "namespace": name, "resources": [base]}))
    within = kubectl.within(name)
    within("apply", "--server-side", "-k", str(directory))
    until("the quota counts ImageBuilds", partial(counts, within, directory), seconds=120, pause=3)
    yield Story(within)
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def tenant(operator: None, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    name = f"e2e-tenant-{secrets.token_hex(3)}"
    with applied(TEAM, name, kubectl, tmp_path_factory.mktemp("tenant")) as story:
        yield story


@pytest.fixture(scope="module")
def forks(operator: None, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The operator's configuration says of such a name that its builds are not trusted."""
    name = f"e2e-forks-{secrets.token_hex(3)}-untrusted"
    with applied(FORKS, name, kubectl, tmp_path_factory.mktemp("forks")) as story:
        yield story


def counts(kubectl: Kubectl, directory: Path) -> bool:
    """Kubernetes looks for new kinds each 30 s, but again at a quota that is there each 5 minutes: docs/install.md."""
    if "count/imagebuilds.imagebuild.dev" in kubectl.get("resourcequota", "builds").get("status", {}).get("used", {}):
        return True
    kubectl("delete", "resourcequota", "builds")
    kubectl("apply", "--server-side", "-k", str(directory))
    return False


def build(story: Story, name: str, **spec: object) -> None:
    """As a person of the team."""
    document = {"apiVersion": "imagebuild.dev/v1alpha1", "kind": "ImageBuild", "metadata": {"name": name}}
    inline = {"dockerfile": {"inline": "FROM busybox:1.37\nRUN true\n"}, "output": {"discard": True}}
    story.kubectl.create({**document, "spec": {**inline, **spec}}, *PERSON)


def test_somebody_of_the_team_builds_within_the_limits_and_reads_the_log(tenant: Story) -> None:
    build(tenant, "app")
    status = tenant.succeeds()
    (container,) = tenant.kubectl.get("pod", status["podName"])["spec"]["containers"]
    assert container["resources"]["limits"] == {"memory": "4Gi", "ephemeral-storage": "20Gi"}
    assert "RUN true" in tenant.kubectl("logs", status["podName"], *PERSON)


def test_a_build_that_asks_for_more_than_one_may_have_is_refused_by_name(tenant: Story) -> None:
    build(tenant, "much", pod={"resources": {"limits": {"memory": "64Gi"}}})
    assert "maximum memory usage per Container is 16Gi" in tenant.finished("much")["message"]


@pytest.mark.parametrize(
    ("what", "may"),
    [
        pytest.param(("create", "imagebuilds"), "yes", id="builds"),
        pytest.param(("get", "secrets"), "no", id="no Secrets"),
        pytest.param(("create", "pods"), "no", id="no pods"),
        pytest.param(("create", "pods", "--subresource=exec"), "no", id="nothing in a build pod"),
        pytest.param(("update", "imagebuilds", "--subresource=status"), "no", id="no status"),
        pytest.param(("create", "imagebuilds", "--namespace=default"), "no", id="nothing elsewhere"),
    ],
)
def test_the_team_may_build_here_and_nothing_else(tenant: Story, what: tuple[str, ...], may: str) -> None:
    command = tenant.kubectl.command("auth", "can-i", *what, *PERSON)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # a no is exit code 1
    assert done.stdout.split()[-1] == may, done.stderr


def test_no_privileged_pod_and_no_service_is_taken_whoever_makes_it(tenant: Story) -> None:
    container = {"name": "a", "image": "a", "securityContext": {"privileged": True}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [container]}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 1}]}}
    for document, word in ((pod, "baseline"), (service, "exceeded quota")):
        with pytest.raises(KubectlError, match=word):
            tenant.kubectl.create(document)


def chosen(story: Story, policy: str) -> tuple[list[Document], Document]:
    """The pods that a NetworkPolicy is about, and its rules."""
    rules = story.kubectl.get("networkpolicy", policy)["spec"]
    selector = rules["podSelector"]
    words = [f"{key}={value}" for key, value in selector["matchLabels"].items()]
    for each in selector.get("matchExpressions", ()):
        assert each["operator"] == "NotIn"
        words.append(f"{each['key']} notin ({','.join(each['values'])})")
    return story.kubectl.items("pods", f"--selector={','.join(words)}"), rules


def test_build_pods_are_those_that_the_network_policy_is_about(tenant: Story) -> None:
    """This cluster enforces none: only that it selects them, and whom it lets them reach, can be looked at."""
    build(tenant, "reaches")
    tenant.succeeds("reaches")
    pods, policy = chosen(tenant, "builds")
    assert pods
    assert chosen(tenant, "untrusted")[0] == []
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in policy
    far, near = (to["ipBlock"] for rule in policy["egress"] for to in rule["to"] if "ipBlock" in to)
    assert "169.254.0.0/16" in far["except"]
    assert near == {"cidr": "10.1.2.3/32"}


def test_pods_that_are_not_trusted_have_a_policy_of_their_own_that_lists_names_and_what_the_page_adds(
    forks: Story,
) -> None:
    forks.apply(forks.inline(output={"discard": True}), name="fork")
    status = forks.succeeds("fork")
    pods, policy = chosen(forks, "untrusted")
    assert [pod["metadata"]["name"] for pod in pods] == [status["podName"]]
    assert chosen(forks, "builds")[0] == [], "two policies would add up"
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in policy
    names, *added = policy["egress"]
    assert names["to"][0]["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}}
    assert {port["port"] for port in names["ports"]} == {53}
    assert [to["ipBlock"]["cidr"] for rule in added for to in rule["to"]] == ["10.1.2.3/32", "10.1.2.4/32"]
