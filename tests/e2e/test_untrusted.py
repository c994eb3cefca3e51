"""Builds that are not trusted, and what an administrator's lists keep from a namespace: real builds and real refusals."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.conftest import Repository
from e2e.story import Story
from imagebuild.api import names
from imagebuild.contract import plan
from testbed import registry
from testbed.kubectl import Document

pytestmark = pytest.mark.cluster

DISCARD: Document = {"discard": True}
OTHER = "example.com/team/front:1"
DOCKERFILE = f"# syntax={OTHER}\nFROM busybox:1.37\nRUN echo one > /one\n"


def planned(pod: Document) -> plan.Plan:
    return plan.parse(pod["metadata"]["annotations"][names.ANNOTATION_PLAN])


@pytest.mark.parametrize(
    ("suffix", "trust"),
    [
        pytest.param("-untrusted", {}, id="by the administrator"),
        pytest.param("-userns", {"trust": "Untrusted"}, id="by the spec"),
    ],
)
def test_a_build_that_is_not_trusted_builds_pushes_and_gets_what_is_promised(
    story: Story, repository: Repository, suffix: str, trust: Document
) -> None:
    commit = repository.commit({"Dockerfile": DOCKERFILE})
    story.kubectl.apply(registry.login_secret(story.place, "team-login"))
    written = {
        "source": {"git": {"url": repository.url, "branch": "main"}},
        "output": {"images": [story.private_image()]},
        "registrySecrets": [{"name": "team-login"}],
        "args": {"BUILDKIT_SYNTAX": OTHER},
    }
    story.apply({**written, **trust})
    status = story.succeeds()
    assert (status["source"]["commit"], bool(status["output"]["digest"])) == (commit, True)
    in_force = status["effective"]
    assert (in_force["trust"], in_force["isolation"], in_force["cacheExport"]) == ("Untrusted", "Userns", "Never")
    assert "export" not in status["cache"], "no cache was written"
    (pod,) = story.pods()
    assert pod["metadata"]["labels"][names.LABEL_TRUST] == "untrusted"
    assert (pod["spec"]["hostUsers"], planned(pod).frontends) == (False, ())
    container = pod["spec"]["containers"][0]["securityContext"]
    assert container["procMount"] == "Unmasked"
    assert f"docker-image://{OTHER}" not in story.kubectl("logs", pod["metadata"]["name"]), "it was not asked for"


@pytest.mark.parametrize("suffix", ["-userns"])
def test_it_starts_from_the_cache_of_those_that_are_trusted_and_leaves_them_nothing(
    story: Story, repository: Repository, suffix: str
) -> None:
    repository.commit({"Dockerfile": "FROM busybox:1.37\nRUN echo one > /one\n"})
    git = {"git": {"url": repository.url, "branch": "main"}}
    story.apply({"source": git, "output": {"images": [story.image()]}})
    ref = story.succeeds()["cache"]["export"]["ref"]
    before = registry.manifest(story.place, ref)
    assert before is not None
    repository.commit({"Dockerfile": "FROM busybox:1.37\nRUN echo one > /one\nRUN echo two > /two\n"})
    story.apply({"source": git, "output": {"images": [story.image("2")]}, "trust": "Untrusted"}, name="fork")
    status = story.succeeds("fork")
    assert (status["cache"]["summary"], status["cache"]["imports"][0]["ref"]) == ("1/2", ref)
    assert registry.manifest(story.place, ref) == before


def test_where_the_mode_is_another_it_is_refused_with_the_setting_that_has_to_change(story: Story) -> None:
    story.apply(story.inline(output=DISCARD, trust="Untrusted"))
    status = story.fails("NotAllowed")
    assert status["message"].startswith(
        "isolation: a build that is Untrusted (spec.trust) needs Userns, and Rootless is"
    )
    assert status["effective"]["trust"] == "Untrusted"
    assert story.pods() == []


ASKED: dict[str, tuple[dict[str, Any], str]] = {
    "secrets": ({"secrets": [{"id": "a", "secretKeyRef": {"name": "a", "key": "a"}}]}, "spec.secrets: "),
    "ssh": ({"ssh": [{"id": "default", "secretRef": {"name": "a"}}]}, "spec.ssh: "),
    "a frontend": ({"dockerfile": {"frontend": "docker/dockerfile:1"}}, "spec.dockerfile.frontend: "),
    "an identity": ({"pod": {"serviceAccountName": "builder"}}, "spec.pod.serviceAccountName: "),
    "a cache for others": ({"cache": {"branch": {"export": "Always"}}}, "spec.cache.branch.export: "),
    "a volume": ({"cache": {"volume": {"template": {"size": "1Gi"}}}}, "spec.cache.volume: "),
    "its own label": ({"pod": {"labels": {names.LABEL_TRUST: "trusted"}}}, "spec.pod.labels: "),
}


@pytest.mark.parametrize("suffix", ["-untrusted"])
def test_what_it_asks_for_in_vain_is_told_and_nothing_is_started(story: Story, suffix: str) -> None:
    for place, (more, _) in enumerate(ASKED.values()):
        story.apply({**story.inline(output=DISCARD), **more}, name=f"app-{place}")
    for place, (_, field) in enumerate(ASKED.values()):
        assert story.fails("NotAllowed", f"app-{place}")["message"].startswith(field)
    assert story.pods() == []


# --- lists


@pytest.mark.parametrize("suffix", ["-listed"])
def test_a_build_within_the_lists_is_built(story: Story, suffix: str) -> None:
    story.kubectl.apply(registry.login_secret(story.place, "team-login"))
    settings = {
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "example.com/builds", "operator": "Exists"}],
    }
    story.apply(story.inline(registrySecrets=[{"name": "team-login"}], pod=settings))
    story.succeeds()


BEYOND: dict[str, tuple[dict[str, Any], str]] = {
    "a Secret": ({"registrySecrets": [{"name": "admin-login"}]}, "spec.registrySecrets: admin-login"),
    "a repository": ({"output": {"images": ["example.com/a:1"]}}, "spec.output.images: example.com/a"),
    "a node": ({"pod": {"nodeSelector": {"a": "b"}}}, "spec.pod.nodeSelector: a=b"),
    "every taint": ({"pod": {"tolerations": [{"operator": "Exists"}]}}, "spec.pod.tolerations: every taint"),
    "affinity": ({"pod": {"affinity": {"nodeAffinity": {}}}}, "spec.pod.affinity: any"),
}


@pytest.mark.parametrize("suffix", ["-listed"])
def test_what_is_beyond_them_is_refused_by_name_and_list(story: Story, suffix: str) -> None:
    for place, (more, _) in enumerate(BEYOND.values()):
        story.apply({**story.inline(output=DISCARD), **more}, name=f"app-{place}")
    for place, (_, said) in enumerate(BEYOND.values()):
        message = story.fails("NotAllowed", f"app-{place}")["message"]
        assert message.startswith(f"{said} is not allowed: the administrator ")
        assert "namespaces[*-listed].allow." in message
    assert story.pods() == []
