"""Layers of images and where they come from: compressed by zstd, from mirrors, and what a file keeps of an image."""

from __future__ import annotations

import ctypes
import hashlib
import os
import tarfile
from collections.abc import Iterator
from dataclasses import replace

import pytest

from imagebuild.contract.plan import Registry
from imagebuild.contract.reasons import Reason
from runner.conftest import serve
from runner.pod import Pod
from runner.test_archives import archive, member
from runner.test_artifacts import IMAGE, LAYER, Handler, Store, plan, source


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def host(store: Store) -> Iterator[str]:
    yield from serve(type("Registry", (Handler,), {"store": store}))


def zstd(content: bytes) -> bytes:
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_compress.restype = library.ZSTD_compressBound.restype = ctypes.c_size_t
    library.ZSTD_compressBound.argtypes = (ctypes.c_size_t,)
    room = ctypes.create_string_buffer(library.ZSTD_compressBound(len(content)))
    size = library.ZSTD_compress(room, ctypes.c_size_t(len(room)), content, ctypes.c_size_t(len(content)), 3)
    return room.raw[:size]


def test_a_layer_may_be_compressed_by_zstd(pod: Pod, store: Store, host: str) -> None:
    """In two frames, after one to be skipped, and larger than what is read at once."""
    large = "".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(10_000))
    packed = archive(kind="", large=large)
    content = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc" + zstd(packed[:1000]) + zstd(packed[1000:])
    store.artifact(store.blob(content, LAYER.replace("gzip", "zstd")), config=IMAGE)
    _, log, code = pod.run(plan(host))
    assert (code, source(pod)["large"]) == (0, large), log


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(zstd(b"text"), id="no archive, by zstd"),
        pytest.param(zstd(archive(kind=""))[:-9], id="half of one by zstd"),
        pytest.param(zstd(b"")[:4] + b"\xff" * 64, id="not what zstd writes"),
    ],
)
def test_what_is_not_zstd_or_not_an_archive_is_refused(pod: Pod, store: Store, host: str, content: bytes) -> None:
    store.artifact(store.blob(content), config=IMAGE)
    found, log, _ = pod.run(plan(host))
    assert found.essentials.reason is Reason.ARCHIVE_INVALID, log


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


# --- mirrors


class Broken(Handler):
    """`cut`: half of each layer; `other`: nothing of what is asked for."""

    asked: list[str]

    def do_GET(self) -> None:  # noqa: N802 the name in the standard library
        self.asked.append(self.path)
        if "/cut/" in self.path and "/blobs/" in self.path:
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"half of it")
            self.close_connection = True
        elif "/other/" in self.path:
            self.send_error(404)
        else:
            super().do_GET()


@pytest.mark.parametrize(
    ("mirrors", "asked"),
    [
        pytest.param(["fine"], ["fine", "fine"], id="one that has it"),
        pytest.param(
            ["other", "fine"], ["other", "fine", "other", "fine"], id="the second one, where the first has not"
        ),
        pytest.param(["other"], ["other", "other"], id="none has it"),
        pytest.param(["cut"], ["cut", "cut"], id="a layer breaks off"),
    ],
)
def test_mirrors_are_asked_first_and_the_registry_for_what_they_do_not_give(
    pod: Pod, store: Store, host: str, *, mirrors: list[str], asked: list[str]
) -> None:
    store.artifact(store.blob(archive(file="content")))
    seen: list[str] = []
    for mirror in serve(type("Mirror", (Broken,), {"store": store, "asked": seen})):
        elsewhere = Registry(host=mirror, http=True)
        mirrored = Registry(host=host, http=True, mirrors=tuple(f"{mirror}/{path}" for path in mirrors))
        _, log, code = pod.run(replace(plan(host), registries=(elsewhere, mirrored)))
    assert (code, source(pod)["file"]) == (0, "content"), log
    assert seen[0] == f"/v2/{mirrors[0]}/app/manifests/1?ns={host}"
    assert [path.split("/")[2] for path in seen] == asked
