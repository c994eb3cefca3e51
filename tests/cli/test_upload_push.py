"""A directory to a registry: what is sent, what is not sent twice, and what is said when it cannot be."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from cli.pushing import Push, noise
from cli.uploadregistry import Fault
from imagebuild.cli.upload import UploadError, push_directory

UPLOAD, BLOB = r"/blobs/uploads/", r"/blobs/sha256"


def manifest(push: Push, reference: str) -> dict[str, Any]:
    """By its tag, and with the digest that the reference has."""
    digest = reference.rpartition("@")[2]
    content = push.registry.manifests[f"source-{digest[7:19]}"]
    assert digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    document: dict[str, Any] = json.loads(content)
    return document


def test_the_artifact_is_one_that_the_build_pod_reads(push: Push) -> None:
    reference = push()
    assert re.fullmatch(rf"{re.escape(push.host)}/team/app@sha256:[0-9a-f]{{64}}", reference)
    document = manifest(push, reference)
    assert document["artifactType"] == "application/vnd.imagebuild.source.v1"
    assert "image" not in document["config"]["mediaType"], "its layers would be those of an image"
    for part in (document["config"], *document["layers"]):
        assert len(push.registry.blobs[part["digest"]]) == part["size"]


def test_the_second_time_nothing_is_sent(push: Push, piece: int) -> None:
    push.write("large", noise(piece + 1000))
    first = push()
    received, posts = push.registry.received, len(push.registry.requests("POST"))
    assert push() == first
    assert (push.registry.received, len(push.registry.requests("POST"))) == (received, posts)
    assert (push.progress[-1].sent, push.progress[-1].packed) == (0, push.progress[-1].total)


def test_after_a_change_of_one_file_its_archive_alone_is_sent(push: Push) -> None:
    for number in range(24):
        push.write(f"d{number % 4}/{number}", noise(600_000, number))
    assert len(manifest(push, push())["layers"]) > 1
    blobs, received = set(push.registry.blobs), push.registry.received
    push.write("d2/6", b"changed")
    push()
    (new,) = set(push.registry.blobs) - blobs
    assert push.registry.received - received == len(push.registry.blobs[new]) <= 16 << 20


def test_an_empty_directory_is_an_artifact_too(push: Push) -> None:
    (push.directory / "Dockerfile").unlink()
    assert len(manifest(push, push())["layers"]) == 1


def test_progress_goes_one_way_and_ends_at_the_whole(push: Push, piece: int) -> None:
    push.write("large", noise(piece + 1000))
    push()
    for name in ("total", "packed", "sent", "reused"):
        values = [getattr(seen, name) for seen in push.progress]
        assert values == sorted(values)
    last = push.progress[-1]
    assert (last.packed, last.sent) == (last.total, push.registry.received)


def test_what_docker_ignores_is_not_sent_and_its_own_files_are(push: Push) -> None:
    push.write(".dockerignore", b"*\n")
    push.write("secret", noise(1 << 20))
    push()
    assert push.progress[-1].total == len("FROM scratch\n") + len("*\n")


def test_the_build_context_below_has_its_own_dockerignore(push: Push) -> None:
    push.write(".dockerignore", b"*\n")
    push.write("api/Dockerfile.dockerignore", b"secret\nDockerfile\n")
    push.write("api/Dockerfile", b"FROM scratch\n")
    push.write("api/secret", noise(1 << 20))
    push.write("secret", b"12345")
    push(context="./api/")
    sizes = [len("FROM scratch\n")] * 2 + [len("*\n"), len("secret\nDockerfile\n"), 5]
    assert push.progress[-1].total == sum(sizes)


@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        pytest.param(Fault("HEAD", BLOB, 503), 1, id="a registry that is busy when asked"),
        pytest.param(Fault("POST", UPLOAD, 500, count=3), 3, id="that cannot begin"),
        pytest.param(Fault("PUT", UPLOAD), 1, id="an upload that breaks off"),
        pytest.param(Fault("PUT", UPLOAD, 502, count=2), 2, id="whose end is not heard of"),
        pytest.param(Fault("PUT", UPLOAD, 404), 1, id="that the registry has forgotten"),
        pytest.param(Fault("PUT", "/manifests/", 429), 1, id="too many requests at the end"),
    ],
)
def test_what_may_be_better_later_is_tried_again(push: Push, fault: Fault, waits: int) -> None:
    push.registry.faults.append(fault)
    manifest(push, push())
    assert (len(push.waited), fault.count) == (waits, 0)


def test_the_registry_says_how_long_to_wait_within_reason(push: Push) -> None:
    push.registry.faults += [
        Fault("POST", UPLOAD, 429, headers={"Retry-After": word}) for word in ("7", "86400", "soon")
    ]
    push()
    assert push.waited[:2] == [7, 30]


@pytest.mark.parametrize(
    ("fault", "twice"),
    [
        pytest.param(Fault("PATCH", UPLOAD), 0, id="the connection breaks off in the first piece"),
        pytest.param(Fault("PATCH", UPLOAD, 503), 1, id="the registry is busy"),
    ],
)
def test_a_large_file_goes_on_where_the_registry_has_got_to(push: Push, piece: int, fault: Fault, twice: int) -> None:
    push.write("large", noise(piece + 1000))
    push.registry.faults.append(fault)
    document = manifest(push, push())
    whole = sum(part["size"] for part in (document["config"], *document["layers"]))
    assert push.registry.received == whole + twice * piece
    assert len(push.registry.requests("POST")) == len(document["layers"]) + 1, "one upload for each blob"


def test_a_large_file_starts_anew_where_the_registry_has_forgotten_it(push: Push, piece: int) -> None:
    push.write("large", noise(piece + 1000))
    push.registry.faults += [Fault("PATCH", UPLOAD), Fault("GET", UPLOAD, 404)]
    manifest(push, push())


def test_a_registry_that_takes_no_pieces_gets_the_whole(push: Push, piece: int) -> None:
    push.write("large", noise(piece + 1000))
    push.registry.faults.append(Fault("PATCH", UPLOAD, 405, count=100))
    manifest(push, push())
    assert len(push.registry.requests("PATCH")) == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        pytest.param(Fault("POST", UPLOAD, 503, count=99), r"cannot be reached \(it answers 503\): try again", id="busy"),
        pytest.param(Fault("PUT", UPLOAD, count=99), r"cannot be reached \(every upload breaks off: .*(closed|reset|aborted|Broken)", id="breaks off"),
        pytest.param(Fault("POST", UPLOAD, 403), r"answers 403 \(ODD: as the test wants\): make the repository", id="denied"),
        pytest.param(Fault("POST", UPLOAD, 404), r"answers 404 .*make the repository, or log in", id="no repository"),
        pytest.param(Fault("PUT", UPLOAD, 413, count=99), r"answers 413 .*ask who runs the registry", id="too large"),
        pytest.param(Fault("PUT", "/manifests/", 400), "answers 400", id="a manifest that it does not take"),
    ],
)  # fmt: skip
def test_what_does_not_get_better_ends_in_a_sentence(push: Push, fault: Fault, said: str) -> None:
    push.registry.faults.append(fault)
    with pytest.raises(UploadError, match=said) as raised:
        push()
    assert f"{push.host}/team/app" in str(raised.value)
    assert raised.value.again is (r"cannot be reached" in said)


def test_the_first_failure_ends_what_else_is_under_way(push: Push, piece: int) -> None:
    for number in range(4):
        push.write(f"{number}", noise(piece + 1000, number))
    push.registry.faults += [Fault("HEAD", BLOB, 404), Fault("HEAD", BLOB, 503, count=99), Fault("POST", UPLOAD, 403)]
    with pytest.raises(UploadError, match="answers 403"):
        push_directory(push.directory, f"{push.host}/app", environ={"HOME": str(push.home)})
    assert len(push.registry.requests("HEAD")) < 6, "nobody is waited for that would try again"


def test_a_registry_that_is_not_there_is_said_to_be_so(push: Push) -> None:
    push.host = "127.0.0.1:1"
    with pytest.raises(
        UploadError, match=r"127.0.0.1:1/team/app: the registry cannot be reached \(.*Connection refused\)"
    ):
        push()


@pytest.mark.parametrize("status", [301, 307])
def test_a_registry_that_leads_elsewhere_for_a_blob_has_it(push: Push, status: int) -> None:
    push.registry.faults.append(Fault("HEAD", BLOB, status, count=99, headers={"Location": "http://bucket/x"}))
    push()
    assert push.registry.requests("POST") == []


def test_a_large_directory_without_dockerignore_is_warned_of(push: Push) -> None:
    for name, size in {"node_modules/a": 90_000_000, ".git/b": 20_000_000, "src": 5}.items():
        push.write(name, b"")
        os.truncate(push.directory / name, size)
    push()
    assert push.said == [
        "110 MB are sent, as there is no .dockerignore; largest: node_modules (90 MB), .git (20 MB), Dockerfile (0 MB)"
    ]
    push.write(".dockerignore", b"# nothing\n")
    push()
    assert len(push.said) == 1


@pytest.mark.parametrize(
    ("repository", "said"),
    [("alice/app", "docker.io/alice/app, not alice/app"), ("r.io", "does not begin with a registry")],
)
def test_a_name_without_a_registry_is_refused(tmp_path: Path, repository: str, said: str) -> None:
    with pytest.raises(UploadError, match=said):
        push_directory(tmp_path, repository)


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UploadError, match="is not a directory"):
        push_directory(tmp_path / "none", "r.io/app")
