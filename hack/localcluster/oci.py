"""Container images without a container engine: made as OCI layouts, packed for import, pushed over HTTP.

For what cannot come from a public registry: the control plane's images, the stand-ins, the wheels.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import platform
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ACCEPT = f"{MANIFEST}, {INDEX}, application/vnd.docker.distribution.manifest.v2+json"
TIMEOUT = 60.0


class _Hashing:
    """A file to write to that knows the digest of what went in."""

    def __init__(self, target: BinaryIO | gzip.GzipFile) -> None:
        self._target, self._sha, self.size = target, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self._sha.update(data)
        self.size += len(data)
        return self._target.write(data)

    def flush(self) -> None:
        self._target.flush()

    @property
    def digest(self) -> str:
        return "sha256:" + self._sha.hexdigest()


def make(root: Path, layout: Path, config: Mapping[str, Any], level: int = 6) -> None:
    """An image of one layer, the content of `root`, as an OCI layout directory: there whole or not at all."""
    layout.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=layout.parent, prefix=".new-"))
    (new / "blobs" / "sha256").mkdir(parents=True)
    layer, diff_id = _layer(root, new, level)
    image = {
        "architecture": architecture(),
        "os": "linux",
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _blob(new, CONFIG, image),
        "layers": [layer],
    }
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [_blob(new, MANIFEST, manifest)]}
    (new / "index.json").write_text(json.dumps(index))
    (new / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    shutil.rmtree(layout, ignore_errors=True)
    new.chmod(0o755)
    new.rename(layout)


def architecture() -> str:
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(machine, machine)


def _layer(root: Path, layout: Path, level: int) -> tuple[dict[str, Any], str]:
    file = layout / "layer"
    with file.open("wb") as raw:
        outer = _Hashing(raw)
        with gzip.GzipFile(fileobj=outer, mode="wb", compresslevel=level, mtime=0, filename="") as packed:
            inner = _Hashing(packed)
            with tarfile.open(fileobj=cast("BinaryIO", inner), mode="w|", format=tarfile.PAX_FORMAT) as archive:
                for entry in sorted(root.iterdir()):
                    archive.add(entry, arcname=entry.name)
    descriptor = {"mediaType": LAYER, "digest": outer.digest, "size": outer.size}
    file.rename(_blob_path(layout, outer.digest))
    return descriptor, inner.digest


def _blob(layout: Path, media_type: str, document: Mapping[str, Any]) -> dict[str, Any]:
    data = json.dumps(document).encode()
    name = "sha256:" + hashlib.sha256(data).hexdigest()
    _blob_path(layout, name).write_bytes(data)
    return {"mediaType": media_type, "digest": name, "size": len(data)}


def _blob_path(layout: Path, digest: str) -> Path:
    return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


def archive(layout: Path, reference: str, out: Path) -> None:
    """The layout as one file that `ctr images import` takes under this name."""
    index = json.loads((layout / "index.json").read_text())
    index["manifests"][0]["annotations"] = {"io.containerd.image.name": reference}
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(out, "w") as packed:
        named = Path(scratch) / "index.json"
        named.write_text(json.dumps(index))
        packed.add(named, "index.json")
        packed.add(layout / "oci-layout", "oci-layout")
        packed.add(layout / "blobs", "blobs")


def push(layout: Path, registry: str, repository: str, tag: str) -> str:
    """Into a registry without TLS or password, at `registry` (host:port); the manifest's digest."""
    base = f"http://{registry}/v2/{repository}"
    descriptor = json.loads((layout / "index.json").read_text())["manifests"][0]
    data = _blob_path(layout, descriptor["digest"]).read_bytes()
    manifest = json.loads(data)
    for blob in (manifest["config"], *manifest["layers"]):
        _push_blob(base, _blob_path(layout, blob["digest"]), blob["digest"])
    _request("PUT", f"{base}/manifests/{tag}", data, {"Content-Type": MANIFEST})
    return str(descriptor["digest"])


def _push_blob(base: str, file: Path, digest: str) -> None:
    if _request("HEAD", f"{base}/blobs/{digest}") is not None:
        return
    started = _request("POST", f"{base}/blobs/uploads/", b"") or {}
    location = started["location"]
    target = location if location.startswith("http") else base.partition("/v2/")[0] + location
    url = f"{target}{'&' if '?' in target else '?'}digest={digest}"
    with file.open("rb") as body:
        length = {"Content-Length": str(file.stat().st_size), "Content-Type": "application/octet-stream"}
        _request("PUT", url, body, length)


def resolve(registry: str, repository: str, tag: str) -> str | None:
    """The digest a tag stands for, or None when the registry has no such tag."""
    found = _request("HEAD", f"http://{registry}/v2/{repository}/manifests/{tag}", headers={"Accept": ACCEPT})
    return None if found is None else found["docker-content-digest"]


def digest_of(layout: Path) -> str:
    return str(json.loads((layout / "index.json").read_text())["manifests"][0]["digest"])


def _request(
    method: str, url: str, body: bytes | BinaryIO | None = None, headers: Mapping[str, str] | None = None
) -> dict[str, str] | None:
    """The answer's headers in lower case; None for 404. The registries are on loopback: no proxy has a say."""
    request = urllib.request.Request(url, data=body, method=method, headers=dict(headers or {}))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT) as answer:
            return {key.lower(): value for key, value in answer.headers.items()}
    except urllib.error.HTTPError as refused:
        if refused.code == 404:  # noqa: PLR2004  not found
            return None
        raise
