"""What `output` asks for, as the registry has it afterwards."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e.story import Story
from testbed import registry

pytestmark = pytest.mark.cluster

ODD = "a,b \"c\" 'd' $(X) = ü\n🔑 "
KINDS = {"Gzip": "tar+gzip", "Zstd": "tar+zstd", "Estargz": "tar+gzip", "Uncompressed": "tar"}


def manifest(story: Story, image: str) -> dict[str, Any]:
    found = registry.manifest(story.place, image)
    assert found is not None, image
    return found[1]


def configuration(story: Story, image: str) -> dict[str, Any]:
    content = registry.blob(story.place, image, manifest(story, image)["config"]["digest"])
    document: dict[str, Any] = json.loads(content)["config"]
    return document


def test_one_build_pushes_to_two_registries_each_with_its_own_credentials(story: Story) -> None:
    story.kubectl.apply(registry.login_secret(story.place, "push"))
    images = [story.image(), story.private_image(), story.private_image("other")]
    story.apply(story.inline(output={"images": images}, registrySecrets=[{"name": "push"}]))
    digest = story.succeeds()["output"]["digest"]
    found = [registry.manifest(story.place, image) for image in images]
    assert [each and each[0] for each in found] == [digest] * 3


def test_labels_and_annotations_arrive_byte_for_byte(story: Story) -> None:
    output = {
        "images": [story.image()],
        "labels": {"Odd": ODD, "org.example/given": "by the spec"},
        "annotations": {"org.example.odd": ODD, "org.example.empty": ""},
    }
    dockerfile = 'FROM busybox:1.37\nLABEL org.example/given="by the Dockerfile" kept=yes\nRUN true\n'
    story.apply(story.inline(dockerfile, output=output))
    story.succeeds()
    labels = configuration(story, story.image())["Labels"]
    assert labels == {"Odd": ODD, "org.example/given": "by the spec", "kept": "yes"}
    assert manifest(story, story.image())["annotations"] == output["annotations"]


@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_packed_as_asked_also_where_they_come_from_the_cache(story: Story, kind: str) -> None:
    dockerfile = "FROM scratch AS files\nFROM busybox:1.37\nRUN echo one > /one\nRUN echo two > /two\n"
    story.apply(story.inline(dockerfile))
    story.succeeds()  # leaves layers in zstd in the cache
    for run in (2, 3):
        output = {"images": [story.image(str(run))], "compression": {"type": kind}}
        story.apply(story.inline(dockerfile, output=output))
        status = story.succeeds(run=run)
        assert status["cache"]["summary"] == ("0/2" if run == 2 else "2/2")
        own = manifest(story, story.image(str(run)))["layers"][-2:]
        assert [layer["mediaType"] for layer in own] == [f"application/vnd.oci.image.layer.v1.{KINDS[kind]}"] * 2
        estargz = [any("estargz" in key for key in layer.get("annotations", {})) for layer in own]
        assert estargz == [kind == "Estargz"] * 2
