"""What `output` asks for, as the registry has it afterwards."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from e2e.conftest import Repository
from e2e.story import Story
from testbed import registry
from testbed.deploy import scanner

pytestmark = [pytest.mark.cluster, pytest.mark.thorough]

ODD = "a,b \"c\" 'd' $(X) = ü\n🔑 "
SCANNER = """\
FROM busybox:1.37
ENTRYPOINT cd $BUILDKIT_SCAN_SOURCE \\
    && if [ -e unreadable ]; then echo "no rights to read this"; exit 3; fi \\
    && printf '{"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document", \\
"predicate": {"spdxVersion": "SPDX-2.3", "files": [{"fileName": "%s"}]}}' "$(ls made-here)" \\
    > $BUILDKIT_SCAN_DESTINATION/sbom.spdx.json
"""
"""Keeps the protocol of BuildKit's SBOM scanners, and knows one file, and one that it cannot get over."""
TOKEN = "words-that-no-attestation-may-have"
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


def test_an_image_says_what_it_was_built_from_and_is_known_again(story: Story, repository: Repository) -> None:
    commit = repository.commit({"Dockerfile": "FROM busybox:1.37\nRUN true\n"}, branch="feature/A")
    values = {"org.example.of": '{commit} {"a": {shortCommit}} {branch} {run} {sha}'}
    output = {"images": [story.image()], "labels": values, "annotations": values, "ifExists": "Reuse"}
    spec = {"source": {"git": {"url": repository.url, "branch": "feature/A"}}, "output": output}
    story.apply(spec)
    digest = story.succeeds()["output"]["digest"]
    wanted = f'{commit} {{"a": {commit[:12]}}} feature/A 1 {{sha}}'
    assert configuration(story, story.image())["Labels"] == {"org.example.of": wanted}
    assert manifest(story, story.image())["annotations"]["org.example.of"] == wanted
    story.kubectl("delete", "imagebuild", "app")
    story.apply(spec)
    again = story.succeeds()
    assert (again["reason"], again["output"]["digest"]) == ("AlreadyBuilt", digest)


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


def architectures(story: Story) -> tuple[str, str]:
    """That of the node, and another one."""
    own = story.kubectl.items("nodes")[0]["status"]["nodeInfo"]["architecture"]
    return own, "arm64" if own == "amd64" else "amd64"


def test_a_platform_is_what_the_image_is_of(story: Story) -> None:
    own, _ = architectures(story)
    story.apply(story.inline(platforms=[f"linux/{own}"]))
    assert story.succeeds()["output"]["platform"] == f"linux/{own}"


def test_a_platform_that_no_node_has_is_waited_for(story: Story) -> None:
    _, other = architectures(story)
    story.apply(story.inline(platforms=[f"linux/{other}"]))
    story.reaches(reason="Unschedulable")


def test_a_base_image_of_another_platform_fails_the_build_and_one_that_says_so_does_not(story: Story) -> None:
    own, other = architectures(story)
    story.apply(story.inline("FROM busybox:1.37\n", output={"images": [story.image("base")]}), name="base")
    story.succeeds("base")
    here = {"platforms": [f"linux/{other}"], "pod": {"nodeSelector": {"kubernetes.io/arch": own}}}
    story.apply(story.inline(f"FROM {story.image('base')}\nENV A=b\n", **here))
    message = story.fails("PlatformMismatch")["message"]
    assert f'was pulled with platform "linux/{own}", expected "linux/{other}"' in message
    assert f"it was pushed as {story.image()}, sha256:" in message
    files = f"FROM --platform=linux/{own} {story.image('base')} AS files\nRUN echo made > /made\n"
    story.apply(story.inline(f"{files}FROM scratch\nCOPY --from=files /made /made\n", **here), name="cross")
    assert story.succeeds("cross")["output"]["platform"] == f"linux/{other}"


SAME = """\
ARG BASE
FROM $BASE
ARG SOURCE_DATE_EPOCH
COPY first /
RUN mkdir /made && echo "$SOURCE_DATE_EPOCH" > /made/here
COPY second /
"""


def test_builds_of_a_commit_with_its_time_have_one_digest_and_others_have_not(
    story: Story, repository: Repository
) -> None:
    alone = {"branch": {"import": "None", "export": "Never"}}

    def build(name: str, cached: int = 0, cache: Any = alone, **output: str) -> str:
        source = {"git": {"url": repository.url, "branch": "main"}}
        spec = {"source": source, "args": {"BASE": story.image("base")}}
        spec["output"] = {"images": [story.image(name)], **output}
        story.apply({**spec, **({"cache": cache} if cache else {})}, name=name)
        status = story.succeeds(name)
        assert status["cache"]["cached"] == cached
        return str(status["output"]["digest"])

    story.apply(story.inline("FROM busybox:1.37\nRUN true\n", output={"images": [story.image("base")]}), name="base")
    story.succeeds("base")
    repository.commit({"Dockerfile": SAME, "first": "1", "second": "1"})
    build("older", cache=None, sourceDateEpoch="Commit")
    commit = repository.commit({"second": "2"})
    digests = {
        build("one", sourceDateEpoch="Commit"),
        build("two", sourceDateEpoch="Commit"),
        build("beside-the-older", cache=None, sourceDateEpoch="Commit"),
        build("from-the-cache", cached=3, cache=None, sourceDateEpoch="Commit"),
        build("by-number", cached=3, cache=None, sourceDateEpoch=str(repository.time(commit))),
    }
    assert len(digests) == 1
    assert build("three") != build("four"), "each has the time at which it was made"
    content = registry.blob(story.place, story.image("one"), manifest(story, story.image("one"))["config"]["digest"])
    created = datetime.fromisoformat(json.loads(content)["created"])
    assert created.timestamp() == repository.time(commit)


def statements(story: Story, image: str, index: dict[str, Any]) -> dict[str, bytes]:
    """What lies beside the image in its index, by its type."""
    found = {}
    repository = image.rpartition(":")[0]
    for part in index["manifests"]:
        if "vnd.docker.reference.type" in part.get("annotations", {}):
            for layer in manifest(story, f"{repository}@{part['digest']}")["layers"]:
                content = registry.blob(story.place, image, layer["digest"])
                found[layer["annotations"]["in-toto.io/predicate-type"]] = content
    return found


def test_a_scanner_that_fails_is_named_and_no_step_of_the_dockerfile(story: Story) -> None:
    story.apply(story.inline(SCANNER, output={"images": [scanner(story.place)]}), name="scanner")
    story.succeeds("scanner")
    story.apply(
        story.inline("FROM busybox:1.37\nRUN touch /unreadable\n", output={"images": [story.image()], "sbom": True})
    )
    status = story.fails("SbomScannerFailed")
    assert f"generating sbom using {scanner(story.place)}: exit code 3" in status["message"]
    assert "no rights to read this" in status["failure"]["logTail"]
    assert "sbomScanner" in status["failure"]["nextStep"]
    assert len(story.pods()) == 2, "one each: it is not tried again"


def test_provenance_and_sbom_lie_beside_the_image_without_any_secret_and_reuse_still_knows_it(story: Story) -> None:
    story.apply(story.inline(SCANNER, output={"images": [scanner(story.place)]}), name="scanner")
    story.succeeds("scanner")
    story.kubectl.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "values"}, "stringData": {"token": TOKEN}}
    )
    dockerfile = "FROM busybox:1.37\nRUN --mount=type=secret,id=token test -s /run/secrets/token && touch /made-here\n"
    output = {
        "images": [story.image()],
        "provenance": "Max",
        "sbom": True,
        "annotations": {"org.example.a": "b"},
        "ifExists": "Reuse",
    }
    secrets = [{"id": "token", "secretKeyRef": {"name": "values", "key": "token"}}]
    spec = story.inline(dockerfile, output=output, secrets=secrets)
    story.apply(spec)
    status = story.succeeds()
    found = registry.manifest(story.place, story.image())
    assert found is not None
    digest, index = found
    assert (digest, index["mediaType"]) == (status["output"]["digest"], "application/vnd.oci.image.index.v1+json")
    assert index["annotations"] == {"org.example.a": "b"}
    assert status["output"]["platform"] == f"linux/{architectures(story)[0]}"
    documents = statements(story, story.image(), index)
    assert documents.keys() == {"https://slsa.dev/provenance/v1", "https://spdx.dev/Document"}
    assert b"made-here" in documents["https://spdx.dev/Document"]
    provenance = documents["https://slsa.dev/provenance/v1"].replace(b" ", b"")
    assert b'"id":"token"' in provenance, "the id of the secret, and no more"
    assert [kind for kind, content in documents.items() if TOKEN.encode() in content] == []
    story.kubectl("delete", "imagebuild", "app")
    story.apply(spec)
    again = story.succeeds()
    assert (again["reason"], again["output"]["digest"]) == ("AlreadyBuilt", digest)
