"""Secrets of every type, for several registries in one build, and for several paths of one registry."""

from __future__ import annotations

import base64
import json

import pytest

from e2e.story import Story
from testbed import faults, registry
from testbed.kubectl import Document

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("faults"), pytest.mark.usefixtures("proxy")]


def basic(user: str) -> Document:
    name, password = faults.LOGINS[user].split(":")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": user},
        "type": "kubernetes.io/basic-auth",
        "stringData": {"username": name, "password": password},
    }


def old_form(user: str) -> Document:
    """kubernetes.io/dockercfg, for a path of the registry."""
    auth = base64.b64encode(faults.LOGINS[user].encode()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": user},
        "type": "kubernetes.io/dockercfg",
        "stringData": {".dockercfg": json.dumps({f"{faults.HOST}/{user}": {"auth": auth}})},
    }


def image(user: str, story: Story, name: str = "app") -> str:
    return f"{faults.HOST}/{user}/e2e/{story.namespace}/{name}:1"


def there(user: str, story: Story, name: str = "app") -> bool:
    behind = image(user, story, name).removeprefix(f"{faults.HOST}/{user}/")
    return registry.manifest(story.place, f"{story.place.registry}/{behind}") is not None


def test_one_build_reads_from_one_private_registry_and_writes_to_another(story: Story) -> None:
    story.kubectl.apply(registry.login_secret(story.place, "pull"), basic("alice"))
    pull, push = {"name": "pull"}, {"name": "alice", "registry": faults.HOST}
    base = story.private_image("base")
    story.apply(story.inline(output={"images": [base]}, registrySecrets=[pull]), name="base")
    story.succeeds("base")
    dockerfile = f"FROM {base}\nRUN echo {story.namespace} > /mine\n"
    images = {"images": [image("alice", story), story.private_image("copy")]}
    story.apply(story.inline(dockerfile, output=images, registrySecrets=[pull, push]))
    status = story.succeeds()
    assert there("alice", story)
    found = registry.manifest(story.place, story.private_image("copy"))
    assert found is not None
    assert found[0] == status["output"]["digest"]


def test_of_two_logins_for_paths_of_one_registry_each_build_uses_its_own(story: Story) -> None:
    story.kubectl.apply(old_form("alice"), old_form("bob"))
    both = [{"name": "alice"}, {"name": "bob"}]
    for user in faults.LOGINS:
        story.apply(story.inline(output={"images": [image(user, story, user)]}, registrySecrets=both), name=user)
    for user in faults.LOGINS:
        story.succeeds(user)
        assert there(user, story, user)


def test_one_build_cannot_use_two_logins_of_one_registry_and_says_so(story: Story) -> None:
    story.kubectl.apply(old_form("alice"), old_form("bob"))
    images = {"images": [image("alice", story), image("bob", story)]}
    story.apply(story.inline(output=images, registrySecrets=[{"name": "alice"}, {"name": "bob"}]))
    assert "BuildKit logs in once per registry" in story.fails("SpecInvalid")["message"]


def test_a_login_that_names_no_registry_is_refused_by_name(story: Story) -> None:
    story.kubectl.apply(basic("alice"))
    story.apply(story.inline(registrySecrets=[{"name": "alice"}]))
    assert "the Secret alice" in story.fails("SpecInvalid")["message"]
