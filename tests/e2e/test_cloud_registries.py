"""Registries of three clouds, whose credentials come by the identity of the pod's service account and no Secret.

The helpers are the real ones. The clouds are testbed.clouds: it hands out tokens for the service account's own token,
as STS and Microsoft's authority do, or to whoever asks, as a metadata server does, and has registries that take nothing
else, by their real names and with TLS.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.story import Story
from testbed import clouds, registry
from testbed.cloudidentity import clouds_for
from testbed.kubectl import Document

pytestmark = [pytest.mark.cluster, pytest.mark.thorough]


@pytest.fixture
def cloudy(story: Story, tmp_path: Path) -> Iterator[Story]:
    with clouds_for(story.kubectl, tmp_path):
        yield story


def image(story: Story, host: str, tag: str = "1") -> str:
    return f"{host}/e2e/{story.namespace}:{tag}"


def behind(story: Story, tag: str = "1") -> str | None:
    found = registry.manifest(story.place, f"{story.place.registry}/e2e/{story.namespace}:{tag}")
    return found[0] if found else None


def pod(account: str) -> Document:
    return {"serviceAccountName": f"cloud-{account}"}


@pytest.mark.parametrize(
    ("account", "host"),
    [
        pytest.param("aws", clouds.ECR, id="amazon"),
        pytest.param("google", clouds.GAR, id="google"),
        pytest.param("azure", clouds.ACR, id="microsoft"),
    ],
)
def test_cloud_image_and_cache_go_to_its_registry_and_come_from_there(cloudy: Story, account: str, host: str) -> None:
    cloudy.apply(cloudy.inline(output={"images": [image(cloudy, host)]}, pod=pod(account)))
    first = cloudy.succeeds()
    assert first["output"]["digest"] == behind(cloudy)
    base = f"FROM {image(cloudy, host)}\nRUN echo two > /another\n"
    wanted = {"images": [image(cloudy, host, "2")], "ifExists": "Fail"}
    cloudy.apply(cloudy.inline(base, output=wanted, pod=pod(account)))
    second = cloudy.succeeds(run=2)
    assert second["output"]["digest"] == behind(cloudy, "2")
    assert [ref["result"] for ref in second["cache"]["imports"]] == ["Found"]
    source = {"oci": {"image": image(cloudy, host)}}
    copied = {"source": source, "output": {"discard": True}, "pod": pod(account)}
    cloudy.apply(cloudy.inline("FROM scratch\nCOPY one /one\n", **copied))
    cloudy.succeeds(run=3)
    for build in cloudy.pods():
        log = cloudy.kubectl("logs", build["metadata"]["name"])
        assert "credentials of the pod's service account" in log
        assert not [secret for secret in clouds.SECRETS.values() if secret in json.dumps(build) + log]


@pytest.mark.parametrize(
    ("account", "said"),
    [
        pytest.param("denied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", id="that may not"),
        pytest.param("none", "has no identity at AWS", id="without identity"),
    ],
)
def test_cloud_account_that_gets_no_credentials_is_named_before_anything_is_built(
    cloudy: Story, account: str, said: str
) -> None:
    cloudy.apply(cloudy.inline(output={"images": [image(cloudy, clouds.ECR)]}, pod=pod(account)))
    status = cloudy.fails("RegistryUnauthorized")
    for word in (said, clouds.ECR, f"cloud-{account}", "eks.amazonaws.com/role-arn"):
        assert word in status["message"]
    assert "steps" not in status


LOOKS_AROUND = """\
FROM busybox:1.37
RUN (env; cat /proc/[0-9]*/environ | tr '\\0' '\\n'; ls -d /proc/[0-9]*/root/var/run/secrets/*; ls -d /var/run/secrets/*) \
    >/seen 2>/dev/null; grep HOME /seen && ! grep -e AWS_ -e secrets/cloud /seen
"""


def test_cloud_identity_is_neither_in_the_environment_nor_in_the_files_of_a_step(cloudy: Story) -> None:
    cloudy.apply(cloudy.inline(LOOKS_AROUND, output={"images": [image(cloudy, clouds.ECR)]}, pod=pod("aws")))
    cloudy.succeeds()


def test_cloud_secret_for_the_same_registry_wins(cloudy: Story) -> None:
    auth = {clouds.ECR: {"username": "AWS", "password": clouds.SECRETS["ecr"]}}
    cloudy.kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "push"},
            "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": json.dumps({"auths": auth})},
        }
    )
    output = {"images": [image(cloudy, clouds.ECR)]}
    cloudy.apply(cloudy.inline(output=output, pod=pod("denied"), registrySecrets=[{"name": "push"}]))
    assert cloudy.succeeds()["output"]["digest"] == behind(cloudy)
