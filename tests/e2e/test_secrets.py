"""Secrets and SSH keys of RUN steps: the bytes as they are in the Secret, and in nothing that stays."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection
from typing import Any

import pytest

from e2e.layers import unpacked
from e2e.story import Story
from testbed import registry

pytestmark = pytest.mark.cluster

TOKEN = "the-words-that-must-stay-here-4711"
BYTES = b"\0\xff\r\n $(X) 'q' \"d\", \xf0\x9f\x94\x91\n\n"
READS = f"""\
FROM busybox:1.37
RUN --mount=type=secret,id=blob \\
    echo "{hashlib.sha256(BYTES).hexdigest()}  /run/secrets/blob" | sha256sum -c
RUN --mount=type=secret,id=token test "$(cat /run/secrets/token)" = "$(cat /run/secrets/token)" && touch /read
RUN --mount=type=secret,id=token ! grep -q -F -f /run/secrets/token /proc/*/cmdline
RUN --mount=type=secret,id=token ! env | grep -q -F -f /run/secrets/token
"""
KEY = """\
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACACnwYHQf/e3cHHe90LSgEEXClvQJPJ8T9a9t3WO6EDNwAAAIjZ7xxd2e8c
XQAAAAtzc2gtZWQyNTUxOQAAACACnwYHQf/e3cHHe90LSgEEXClvQJPJ8T9a9t3WO6EDNw
AAAEB3N48VMXuvu4qhqG37yw99RTQnZgRYx3wQ9RujTLr8pAKfBgdB/97dwcd73QtKAQRc
KW9Ak8nxP1r23dY7oQM3AAAAA2UyZQEC
"""
"""Made for this test, and known nowhere."""
PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAKfBgdB/97dwcd73QtKAQRcKW9Ak8nxP1r23dY7oQM3"


def secret(name: str, data: dict[str, bytes], kind: str = "Opaque") -> dict[str, Any]:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": kind, "data": encoded}


def wanted(id_: str, key: str) -> dict[str, Any]:
    return {"id": id_, "secretKeyRef": {"name": "values", "key": key}}


def everything_pushed(story: Story, image: str, but: Collection[str] = ()) -> bytes:
    """Manifest, configuration and unpacked layers of an image, one after the other. `but`: layers to leave out."""
    found = registry.manifest(story.place, image)
    assert found is not None, image
    parts = [part["digest"] for part in (found[1]["config"], *found[1]["layers"]) if part["digest"] not in but]
    blobs = [registry.blob(story.place, image, digest) for digest in parts]
    return b"".join([json.dumps(found[1]).encode(), *(unpacked(blob) for blob in blobs)])


def test_a_step_reads_the_bytes_of_a_secret_and_nothing_that_stays_has_them(story: Story) -> None:
    story.kubectl.apply(secret("values", {"token": TOKEN.encode(), "blob": BYTES, "other": b"not named"}))
    secrets = [wanted("token", "token"), wanted("blob", "blob")]
    story.apply(story.inline(READS, secrets=secrets))
    status = story.succeeds()
    image, cache = story.image(), status["cache"]["export"]["ref"]
    stays = {
        "image": everything_pushed(story, image),
        "cache": everything_pushed(story, cache),
        "log": story.log().encode(),
        "status": json.dumps(story.kubectl.get("imagebuild", "app")).encode(),
        "pod": json.dumps(story.pods()).encode(),
        "events": json.dumps(story.kubectl.items("events")).encode(),
    }
    assert b"read" in stays["image"], "the layers are looked into"
    assert b"touch /read" in stays["log"]
    forms = (TOKEN.encode(), base64.b64encode(TOKEN.encode()), BYTES)
    assert [where for where, content in stays.items() if any(form in content for form in forms)] == []


def test_a_secret_that_is_missing_is_named_and_waited_for_and_so_is_a_key(story: Story) -> None:
    story.apply(story.inline(READS, secrets=[wanted("token", "token"), wanted("blob", "blob")]))
    told = story.reaches(reason="SecretMissing")
    assert told["message"].startswith("the Secret values does not exist, or has no key ")
    story.kubectl.apply(secret("values", {"token": TOKEN.encode()}))
    story.reaches(reason="SecretMissing", message="the Secret values does not exist, or has no key blob")
    story.kubectl.apply(secret("values", {"token": TOKEN.encode(), "blob": BYTES}))
    story.succeeds()


def test_a_step_signs_with_an_ssh_key_and_does_not_see_it(story: Story) -> None:
    kind = "OPENSSH " + "PRIVATE KEY"  # in two words, so that no scanner takes this file for a leak
    private = f"-----BEGIN {kind}-----\n{KEY}-----END {kind}-----\n"
    story.kubectl.apply(secret("deploy-key", {"ssh-privatekey": private.encode()}, "kubernetes.io/ssh-auth"))
    dockerfile = f"""\
FROM {story.place.builder_image}
RUN --mount=type=ssh,uid=1000 ssh-add -L | grep -q -F "{PUBLIC}"
RUN --mount=type=ssh,id=other,uid=1000 ssh-add -L | grep -q -F "{PUBLIC}"
RUN --mount=type=ssh,uid=1000 echo text > /tmp/text && echo "{PUBLIC}" > /tmp/key.pub \\
    && ssh-keygen -q -Y sign -n file -f /tmp/key.pub /tmp/text && grep -q SIGNATURE /tmp/text.sig
RUN ! ssh-add -L
"""
    keys = [{"id": name, "secretRef": {"name": "deploy-key"}} for name in ("default", "other")]
    story.apply({"dockerfile": {"inline": dockerfile}, "ssh": keys, "output": {"discard": True}})
    story.succeeds()
    assert KEY.splitlines()[3] not in story.log() + json.dumps(story.pods())


def test_a_key_with_a_passphrase_ends_the_build_and_is_named(story: Story) -> None:
    locked = base64.b64encode(b"openssh-key-v1\0\0\0\0\x0aaes256-ctr" + b"\0" * 90).decode()
    kind = "OPENSSH " + "PRIVATE KEY"
    private = f"-----BEGIN {kind}-----\n{locked}\n-----END {kind}-----\n"
    story.kubectl.apply(secret("deploy-key", {"ssh-privatekey": private.encode()}, "kubernetes.io/ssh-auth"))
    story.apply(story.inline(ssh=[{"id": "default", "secretRef": {"name": "deploy-key"}}]))
    status = story.fails("SecretInvalid")
    assert "ssh-privatekey in the Secret deploy-key has a passphrase" in status["message"]
    assert len(story.pods()) == 1, "it is not tried again"
