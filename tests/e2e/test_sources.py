"""Contexts that do not come from git: each from a real server or volume, and what BuildKit makes of them."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest

from e2e.story import Story
from e2e.test_private_git import secret
from testbed import registry

pytestmark = pytest.mark.cluster

DISCARD: dict[str, Any] = {"output": {"discard": True}}
CHECK = "FROM busybox:1.37\nCOPY . /src\nRUN grep hello /src/message && test ! -e /src/ignored\n"
FILES = {"top/Dockerfile": CHECK, "top/message": "hello", "top/.dockerignore": "ignored\n", "top/ignored": "not this"}


def packed(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


def archive_url(story: Story, files: dict[str, str]) -> tuple[str, str]:
    """A file behind TLS of the private authority and a password, and its checksum: a blob of the private registry."""
    place, repository = story.place, story.private_image().rpartition(":")[0]
    digest = registry.upload(place, repository, packed(files))
    host, _, name = repository.partition("/")
    return f"https://{host}/v2/{name}/blobs/{digest}", digest


def test_an_archive_is_built_behind_a_password_and_a_certificate_authority_of_ones_own(story: Story) -> None:
    url, checksum = archive_url(story, FILES)
    story.kubectl.apply(secret("login", username=story.place.user, password=story.place.password))
    http = {"url": url, "checksum": checksum, "secretRef": {"name": "login"}}
    story.apply({"source": {"http": http, "path": "top"}, **DISCARD})
    story.succeeds()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"secretRef": None}, "SourceUnauthorized", id="no password"),
        pytest.param({"checksum": f"sha256:{'0' * 64}"}, "ChecksumMismatch", id="another archive than was meant"),
    ],
)
def test_an_archive_that_is_not_to_be_had_is_named(story: Story, changed: dict[str, Any], reason: str) -> None:
    url, checksum = archive_url(story, FILES)
    story.kubectl.apply(secret("login", username=story.place.user, password=story.place.password))
    http = {"url": url, "checksum": checksum, "secretRef": {"name": "login"}, **changed}
    given = {key: value for key, value in http.items() if value is not None}
    story.apply({"source": {"http": given, "path": "top"}, **DISCARD})
    assert url in story.fails(reason)["message"]
