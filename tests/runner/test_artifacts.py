"""OCI artifacts and images as sources: what a registry has becomes files, and nothing else than was named."""

from __future__ import annotations

import base64
import ctypes
import gzip
import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from imagebuild.contract.plan import Mount, OciSource, Plan, Registry
from imagebuild.contract.reasons import Reason
from runner.conftest import serve
from runner.pod import Pod
from runner.test_archives import archive, member

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
FLUX = "application/vnd.cncf.flux.content.v1.tar+gzip"
ARTIFACT = "application/vnd.oci.empty.v1+json"
IMAGE = "application/vnd.oci.image.config.v1+json"
LOGIN = "Basic " + base64.b64encode(b"user:hunter2").decode()


def zstd(content: bytes) -> bytes:
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_compress.restype = library.ZSTD_compressBound.restype = ctypes.c_size_t
    library.ZSTD_compressBound.argtypes = (ctypes.c_size_t,)
    room = ctypes.create_string_buffer(library.ZSTD_compressBound(len(content)))
    size = library.ZSTD_compress(room, ctypes.c_size_t(len(room)), content, ctypes.c_size_t(len(content)), 3)
    return room.raw[:size]


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Store:
    """A registry's content: what it answers for the end of a path."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}

    def blob(self, content: bytes, kind: str = LAYER, **notes: str) -> dict[str, Any]:
        self.content[f"/blobs/{digest(content)}"] = content
        return {"mediaType": kind, "digest": digest(content), "size": len(content), "annotations": notes}

    def tag(self, tag: str, document: dict[str, Any]) -> str:
        content = json.dumps(document).encode()
        self.content[f"/manifests/{tag}"] = self.content[f"/manifests/{digest(content)}"] = content
        return digest(content)

    def artifact(self, *layers: dict[str, Any], config: str = ARTIFACT, tag: str = "1", **more: str) -> str:
        return self.tag(tag, {"config": {"mediaType": config}, "layers": layers, **more})


class Handler(BaseHTTPRequestHandler):
    store: Store

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        name = next((name for name in self.store.content if path.endswith(name)), None)
        if "/private/" in self.path and self.headers.get("Authorization") != LOGIN:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="here"')
            body = b""
        else:
            self.send_response(404 if name is None else 200)
            body = b"" if name is None else self.store.content[name]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def host(store: Store) -> Iterator[str]:
    yield from serve(type("Registry", (Handler,), {"store": store}))


def plan(host: str, reference: str = "app:1", **more: Any) -> Plan:
    return Plan(oci=OciSource(image=f"{host}/{reference}"), registries=(Registry(host=host, http=True),), **more)


def source(pod: Pod) -> dict[str, str]:
    root = pod.work / "source"
    return {str(file.relative_to(root)): file.read_text() for file in root.rglob("*") if file.is_file()}


def test_a_directory_that_oras_has_packed_is_unpacked(pod: Pod, store: Store, host: str) -> None:
    notes = {"org.opencontainers.image.title": "src", "io.deis.oras.content.unpack": "true"}
    store.artifact(store.blob(archive(**{"src/file": "content"}), **notes))
    _, log, code = pod.run(plan(host))
    assert code == 0, log
    assert source(pod) == {"Dockerfile": "FROM scratch\n", "src/file": "content"}


def test_a_file_that_oras_has_pushed_is_that_file(pod: Pod, store: Store, host: str) -> None:
    """oras says of a plain file, too, that it was a tar."""
    one = store.blob(b"FROM scratch\n", **{"org.opencontainers.image.title": "Dockerfile"})
    store.artifact(one, store.blob(b"content", **{"org.opencontainers.image.title": "a/file"}))
    _, log, code = pod.run(plan(host))
    assert code == 0, log
    assert source(pod) == {"Dockerfile": "FROM scratch\n", "a/file": "content"}


def test_what_flux_has_pushed_is_unpacked(pod: Pod, store: Store, host: str) -> None:
    store.artifact(store.blob(archive(file="content"), FLUX), config="application/vnd.cncf.flux.config.v1+json")
    _, log, code = pod.run(plan(host))
    assert (code, source(pod)["file"]) == (0, "content"), log


def test_the_layers_of_an_image_lie_one_on_the_other(pod: Pod, store: Store, host: str) -> None:
    lower = archive(member("dir", tarfile.DIRTYPE), **{"gone": "1", "dir/old": "1", "stays": "1"})
    upper = archive(member(".wh.gone"), member("dir/.wh..wh..opq"), new="2")
    amd, arm = (
        store.artifact(store.blob(content), *more, config=IMAGE, tag=name)
        for name, content, more in (("amd", lower, (store.blob(upper),)), ("arm", archive(wrong="1"), ()))
    )
    platforms = [
        {"digest": amd, "platform": {"os": "linux", "architecture": "amd64"}},
        {"digest": amd, "platform": {"os": "linux", "architecture": "arm64"}},
        {"digest": arm, "platform": {"os": "windows", "architecture": "amd64"}},
        {"digest": arm, "platform": {"os": "unknown", "architecture": "unknown"}},
    ]
    store.tag("1", {"manifests": platforms})
    _, log, code = pod.run(plan(host))
    assert code == 0, log
    assert source(pod) == {"Dockerfile": "FROM scratch\n", "stays": "1", "new": "2"}


@pytest.mark.parametrize(
    ("lower", "upper", "there"),
    [
        pytest.param(
            archive(member("b", tarfile.LNKTYPE, "a"), a="old"),
            archive(a="new"),
            {"a": "new", "b": "old"},
            id="a file of which there is another name",
        ),
        pytest.param(
            archive(member("a", tarfile.SYMTYPE, "v1"), v1="old"),
            archive(a="new"),
            {"a": "new", "v1": "old"},
            id="a file where a link was",
        ),
        pytest.param(
            archive(**{"a/x": "old", "b": "new"}),
            archive(member("a", tarfile.SYMTYPE, "b")),
            {"a": "new", "b": "new"},
            id="a link where a directory was",
        ),
        pytest.param(archive(**{"a/x": "old"}), archive(a="new"), {"a": "new"}, id="a file where a directory was"),
        pytest.param(archive(a="old"), archive(**{"//a": "new"}), {"a": "new"}, id="by a name with slashes in front"),
        pytest.param(
            archive(b="old"),
            archive(member("a", tarfile.SYMTYPE, "none"), member("b", tarfile.LNKTYPE, "a")),
            {},
            id="another name of a link to nothing",
        ),
        pytest.param(archive(a="old"), archive(member("a", tarfile.DIRTYPE)), {}, id="a directory where a file was"),
        pytest.param(
            archive(**{"a/x": "old"}), archive(**{"a/y": "new"}), {"a/x": "old", "a/y": "new"}, id="two directories"
        ),
    ],
)
def test_what_a_layer_has_takes_the_place_of_what_was_there(
    pod: Pod, store: Store, host: str, *, lower: bytes, upper: bytes, there: dict[str, str]
) -> None:
    store.artifact(store.blob(lower), store.blob(upper), config=IMAGE)
    _, log, code = pod.run(plan(host))
    assert code == 0, log
    assert source(pod) == {"Dockerfile": "FROM scratch\n", **there}


def test_a_layer_may_be_compressed_by_zstd(pod: Pod, store: Store, host: str) -> None:
    """In two frames, after one to be skipped, and larger than what is read at once."""
    large = "".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(10_000))
    packed = archive(kind="", large=large)
    content = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc" + zstd(packed[:1000]) + zstd(packed[1000:])
    store.artifact(store.blob(content, LAYER.replace("gzip", "zstd")), config=IMAGE)
    _, log, code = pod.run(plan(host))
    assert (code, source(pod)["large"]) == (0, large), log


def test_of_an_images_files_neither_owners_nor_setuid_bits_are_kept(pod: Pod, store: Store, host: str) -> None:
    tool = member("su")
    tool.mode, tool.uid, tool.gid = 0o6755, 0, 0
    link = member("link", tarfile.SYMTYPE, "su")
    store.artifact(store.blob(archive(tool, link)), config=IMAGE)
    _, log, code = pod.run(plan(host))
    assert code == 0, log
    found = (pod.work / "source" / "su").stat()
    assert (found.st_mode & 0o7777, found.st_uid) == (0o755, os.getuid())
    assert (pod.work / "source" / "link").is_symlink()


def test_a_digest_is_what_is_built(pod: Pod, store: Store, host: str) -> None:
    wanted = store.artifact(store.blob(archive(file="wanted")))
    store.artifact(store.blob(archive(file="later")))
    _, log, code = pod.run(plan(host, f"app:1@{wanted}"))
    assert (code, source(pod)["file"]) == (0, "wanted"), log


# --- mirrors


# --- what is not to be trusted


@pytest.mark.parametrize("what", ["manifests", "blobs"])
def test_another_content_than_the_digest_names_is_refused(pod: Pod, store: Store, host: str, what: str) -> None:
    wanted = store.artifact(store.blob(archive(file="wanted")))
    for name in list(store.content):
        if name.startswith(f"/{what}/sha256:"):
            store.content[name] += b" "
    found, log, _ = pod.run(plan(host, f"app@{wanted}"))
    assert found.essentials.reason is Reason.CHECKSUM_MISMATCH, log
    assert source(pod) == {}


@pytest.mark.parametrize(
    ("content", "notes", "reason"),
    [
        pytest.param(archive(member("../out")), {}, Reason.ARCHIVE_INVALID, id="a path that leads out"),
        pytest.param(
            b"x", {"org.opencontainers.image.title": "../out"}, Reason.ARCHIVE_INVALID, id="a title that leads out"
        ),
        pytest.param(archive(member("../.wh.seen.jsonl")), {}, Reason.ARCHIVE_INVALID, id="a mark that leads out"),
        pytest.param(archive(member(".wh...")), {}, Reason.ARCHIVE_INVALID, id="a mark of what is above"),
        pytest.param(archive(member(".wh..")), {}, Reason.ARCHIVE_INVALID, id="a mark of its own directory"),
        pytest.param(archive(member(".wh.")), {}, Reason.ARCHIVE_INVALID, id="a mark of nothing"),
        pytest.param(gzip.compress(b"text"), {}, Reason.ARCHIVE_INVALID, id="no archive"),
        pytest.param(archive(member("null", tarfile.CHRTYPE)), {}, Reason.ARCHIVE_INVALID, id="a device"),
        pytest.param(archive(member("bin", tarfile.SYMTYPE, "/usr/bin")), {}, Reason.ARCHIVE_INVALID, id="absolute"),
        pytest.param(zstd(b"text"), {}, Reason.ARCHIVE_INVALID, id="no archive, by zstd"),
        pytest.param(zstd(archive(kind=""))[:-9], {}, Reason.ARCHIVE_INVALID, id="half of one by zstd"),
        pytest.param(zstd(b"")[:4] + b"\xff" * 64, {}, Reason.ARCHIVE_INVALID, id="not what zstd writes"),
    ],
)
def test_a_hostile_layer_is_refused(
    pod: Pod, store: Store, host: str, *, content: bytes, notes: dict[str, str], reason: Reason
) -> None:
    store.artifact(store.blob(content, **notes), config=IMAGE)
    found, log, _ = pod.run(plan(host))
    assert found.essentials.reason is reason, log
    assert not list(pod.directory.rglob("out"))
    assert (pod.work / "report").is_dir()


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        pytest.param("app:none", Reason.IMAGE_NOT_FOUND, id="no such tag"),
        pytest.param("private/app:1", Reason.REGISTRY_UNAUTHORIZED, id="a password is wanted"),
    ],
)
def test_what_a_registry_answers_becomes_a_reason(
    pod: Pod, store: Store, host: str, *, reference: str, reason: Reason
) -> None:
    store.artifact(store.blob(archive()))
    found, log, _ = pod.run(plan(host, reference))
    assert found.essentials.reason is reason, log


def test_an_answer_that_is_no_manifest_is_named(pod: Pod, store: Store, host: str) -> None:
    store.tag("1", {"layers": [1]})
    found, log, _ = pod.run(plan(host))
    assert found.essentials.reason is Reason.ARCHIVE_INVALID, log


def test_a_registry_that_is_not_there_is_tried_again_later(pod: Pod) -> None:
    found, log, _ = pod.run(plan("127.0.0.1:1"))
    assert found.essentials.reason is Reason.REGISTRY_UNAVAILABLE, log


def test_the_credentials_are_those_for_the_registry(pod: Pod, store: Store, host: str, tmp_path: Path) -> None:
    store.artifact(store.blob(archive(file="content")))
    login = tmp_path / "login"
    login.mkdir()
    auth = base64.b64encode(b"user:hunter2").decode()
    (login / ".dockerconfigjson").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    secrets = (Mount(name="login", path=str(login)),)
    _, log, code = pod.run(plan(host, "private/app:1", registry_secrets=secrets))
    assert (code, source(pod)["file"]) == (0, "content"), log
