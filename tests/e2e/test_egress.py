"""Behind a proxy that asks for a password: testbed.egress, whose log says what went through it.

Hosts below beyond.test have no address in the cluster: what is fetched from there, or pushed there, went through it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from e2e.conftest import BASELINE, Repository
from e2e.story import Story
from imagebuild.contract import layout
from testbed import egress, registry
from testbed.egress import beyond
from testbed.kubectl import Kubectl
from testbed.server import ready

pytestmark = [pytest.mark.cluster, pytest.mark.thorough, pytest.mark.xdist_group("egress")]

PROXIED = pytest.mark.parametrize("suffix", ["-proxied"])
DOCKERFILE = """\
FROM busybox:1.37
RUN env | grep ^HTTP_PROXY=http://127.0.0.1:
RUN wget -q -O /refs '{url}/info/refs?service=git-upload-pack' && grep -a refs/heads/main /refs
"""


@pytest.fixture(scope="module")
def proxy(kubectl: Kubectl) -> Iterator[Kubectl]:
    """The namespace with the proxy, which the operator's configuration names."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": egress.NAMESPACE, "labels": BASELINE}}
    kubectl.apply(namespace)
    here = kubectl.within(egress.NAMESPACE)
    here.apply(*egress.manifests(kubectl.place.builder_image))
    ready(here, egress.NAME)
    yield here
    kubectl("delete", "namespace", egress.NAMESPACE, timeout=120)


@PROXIED
def test_sources_images_caches_and_steps_come_and_go_through_it(
    story: Story, proxy: Kubectl, repository: Repository, suffix: str
) -> None:
    scheme, _, rest = repository.url.partition("://")
    host, _, path = rest.partition("/")
    url = f"{scheme}://{beyond(host)}/{path}"
    repository.commit({"Dockerfile": DOCKERFILE.format(url=url)})
    story.kubectl.apply(registry.login_secret(story.place, "private"))
    images = [f"{beyond(story.place.registry)}/e2e/{story.namespace}:1", story.private_image()]
    spec = {
        "source": {"git": {"url": url, "branch": "main"}},
        "output": {"images": images},
        "registrySecrets": [{"name": "private"}],
    }
    story.apply(spec)
    assert egress.SECRET in story.reaches(reason="SecretMissing")["message"]
    story.kubectl.apply(egress.login())
    first = story.succeeds()
    story.apply(spec, name="again")
    assert story.succeeds("again")["cache"]["imports"][0]["result"] == "Found"
    log = proxy("logs", egress.NAME)
    for wanted in (
        f"GET {url}/info/refs",
        f"CONNECT {story.place.private_registry} 200",
        f"PUT http://{images[0].partition('/')[0]}/v2/",
    ):
        assert wanted in log, log[-5000:]
    _, manifest = registry.manifest(story.place, story.image()) or ("", {})
    config = registry.blob(story.place, story.image(), manifest["config"]["digest"]).decode()
    assert f"127.0.0.1:{layout.PROXY_PORT}" not in config, "the image remembers nothing of the proxy"
    told = json.dumps([first, story.pods()]) + "".join(
        story.kubectl("logs", pod["metadata"]["name"]) for pod in story.pods()
    )
    assert egress.PASSWORD not in told


@PROXIED
def test_a_password_that_the_proxy_does_not_take_is_named_by_its_secret(
    story: Story, proxy: Kubectl, suffix: str
) -> None:
    story.kubectl.apply(egress.login("other"))
    story.apply(story.inline("FROM busybox:1.37\nRUN true\n", output={"discard": True}))
    message = story.fails("ProxyRefused")["message"]
    assert f"the egress proxy {egress.ADDRESS} answers 407" in message
    assert f"the Secret {egress.SECRET}" in message


@PROXIED
def test_a_host_that_the_proxy_does_not_allow_is_named(story: Story, proxy: Kubectl, suffix: str) -> None:
    story.kubectl.apply(egress.login())
    story.apply(story.inline(f"FROM {egress.DENIED}/app:1\n", output={"discard": True}))
    message = story.fails("ProxyRefused")["message"]
    assert egress.DENIED in message
    assert "403 Forbidden" in message


@pytest.mark.parametrize("suffix", ["-astray"])
def test_a_proxy_that_does_not_answer_is_named(story: Story, proxy: Kubectl, suffix: str) -> None:
    story.kubectl.apply(egress.login())
    story.apply(story.inline("FROM busybox:1.37\nRUN true\n", output={"discard": True}, retryLimit=0))
    assert f"the egress proxy {egress.NOWHERE} does not answer" in story.fails("ProxyUnavailable")["message"]
