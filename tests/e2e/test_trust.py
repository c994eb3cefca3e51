"""Who is trusted, both ways: registries that want a client certificate, and the administrator's authorities in RUN steps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.conftest import BASELINE
from e2e.story import Story
from testbed import mutualtls
from testbed.kubectl import Document, Kubectl

pytestmark = pytest.mark.cluster

DISCARD: Document = {"discard": True}


@pytest.fixture(scope="module")
def vault(operator: None, kubectl: Kubectl) -> Iterator[str]:
    """A registry that wants a client certificate; the operator's configuration names it."""
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": mutualtls.NAMESPACE, "labels": BASELINE},
    }
    kubectl.apply(namespace)
    mutualtls.serve(kubectl.within(mutualtls.NAMESPACE))
    yield mutualtls.HOST
    kubectl("delete", "namespace", mutualtls.NAMESPACE, timeout=120)


@pytest.mark.xdist_group("mutual-tls")
def test_with_its_certificate_a_build_pushes_pulls_and_keeps_its_cache_there(story: Story, vault: str) -> None:
    image = f"{vault}/{story.namespace}:1"
    story.apply(story.inline(output={"images": [image]}))
    assert mutualtls.SECRET in story.reaches(reason="SecretMissing")["message"]
    story.kubectl.apply(mutualtls.client())
    pushed = story.succeeds()
    assert pushed["output"]["digest"]
    assert "cache was not written" not in pushed["message"]
    story.apply(story.inline(output={"images": [image, f"{vault}/{story.namespace}:2"]}))
    assert story.succeeds(run=2)["cache"]["imports"][0]["result"] == "Found"
    story.apply(story.inline(f"FROM {image}\nRUN cat /one /two\n", output=DISCARD), name="from")
    story.succeeds("from")
    story.apply(
        {"source": {"oci": {"image": image}}, **story.inline("FROM scratch\nCOPY one /\n", output=DISCARD)}, name="oci"
    )
    story.succeeds("oci")


@pytest.mark.xdist_group("mutual-tls")
def test_a_certificate_that_the_registry_does_not_know_is_its_refusal(story: Story, vault: str) -> None:
    story.kubectl.apply(mutualtls.client("stranger"))
    story.apply(story.inline(output={"images": [f"{vault}/{story.namespace}:1"]}))
    assert vault in story.fails("ClientCertificateRefused")["message"]


@pytest.mark.xdist_group("mutual-tls")
def test_a_dockerfile_that_names_the_registry_waits_for_the_certificate_and_others_do_not(
    story: Story, vault: str
) -> None:
    story.apply(story.inline("FROM busybox:1.37\nRUN true\n", output=DISCARD), name="other")
    story.apply(story.inline(f"FROM {vault}/base:1\n", output=DISCARD))
    assert mutualtls.SECRET in story.reaches(reason="SecretMissing")["message"]
    story.succeeds("other")


def test_run_steps_may_mount_the_authorities_of_the_administrator(story: Story) -> None:
    line = story.place.authorities.splitlines()[1]
    mount = "--mount=type=secret,id=imagebuild-ca,target=/etc/ssl/certs/ca-certificates.crt"
    step = f"RUN {mount} grep -F '{line}' /etc/ssl/certs/ca-certificates.crt"
    story.apply(story.inline(f"FROM busybox:1.37\n{step}\n", output=DISCARD))
    story.succeeds()
