"""An OCI artifact or image as a directory: its manifest, and its layers one on top of the other.

What `oras push` and `flux push artifact` make is read, and what image builders make. Everything is compared with the
digest by which it is named.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import platform
import ssl
import urllib.error
from pathlib import Path
from typing import IO, Any

from imagebuild.contract.layout import SOURCE_ARTIFACT
from imagebuild.contract.plan import OciSource
from imagebuild.contract.reasons import Reason
from imagebuild.runner.download import save
from imagebuild.runner.problem import Problem
from imagebuild.runner.process import say
from imagebuild.runner.registry import Registries
from imagebuild.runner.source import Place, Source
from imagebuild.runner.unpack import unpack

__all__ = ["fetch_artifact"]

_ANSWERS = {
    401: Reason.REGISTRY_UNAUTHORIZED,
    403: Reason.REGISTRY_UNAUTHORIZED,
    404: Reason.IMAGE_NOT_FOUND,
    429: Reason.REGISTRY_BUSY,
}
_MANIFEST_BYTES = 4 << 20
_TITLE, _UNPACK = "org.opencontainers.image.title", "io.deis.oras.content.unpack"
"""oras: the name of a file, and whether it is a directory that was packed."""
_NOTHING = "application/vnd.oci.empty.v1+json"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


def fetch_artifact(source: OciSource, place: Place, registries: Registries) -> Source:
    """Raises Problem."""
    place.scratch.mkdir()
    try:
        digest = _Artifact(source.image, place, registries).fetch()
    except urllib.error.HTTPError as error:
        reason = _ANSWERS.get(error.code, Reason.REGISTRY_UNAVAILABLE)
        raise Problem(reason, f"{source.image}: the registry answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        reason = _of_tls(cause) if isinstance(cause, ssl.SSLError) else Reason.REGISTRY_UNAVAILABLE
        raise Problem(reason, f"{source.image}: {cause}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Problem(Reason.ARCHIVE_INVALID, f"{source.image}: the manifest cannot be read ({error})") from error
    say(f"{source.image}: {digest}")
    return Source(directory=place.directory, branch="default", base="default", content=digest)


def _of_tls(error: ssl.SSLError) -> Reason:
    """An alert is what the server says: it refuses us, and not we it. It may also just hang up."""
    if isinstance(error, ssl.SSLEOFError):
        return Reason.REGISTRY_UNAVAILABLE
    said = error.reason or ""
    refused = "ALERT" in said and any(word in said for word in ("CERT", "CA", "ACCESS_DENIED"))
    return Reason.CLIENT_CERTIFICATE_REFUSED if refused else Reason.TLS_FAILED


class _Artifact:
    def __init__(self, image: str, place: Place, registries: Registries) -> None:
        self._image, self._place, self._registries = image, place, registries
        tagged, _, digest = image.partition("@")
        head, slash, last = tagged.rpartition("/")
        name, _, tag = last.partition(":")
        self._repository, self._reference = head + slash + name, digest or tag or "latest"

    def fetch(self) -> str:
        """Its digest."""
        content = self._manifest(self._reference)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        document = json.loads(content)
        if "manifests" in document:
            document = json.loads(self._manifest(self._for_this_machine(document["manifests"])))
        image, ours = "image" in document["config"]["mediaType"], document.get("artifactType") == SOURCE_ARTIFACT
        for layer in document["layers"]:
            if layer["mediaType"] != _NOTHING:
                self._add(layer, image=image, links=ours)
        return digest

    def _manifest(self, reference: str) -> bytes:
        content: bytes = self._registries.get(
            self._repository, f"manifests/{reference}", lambda answer: answer.read(_MANIFEST_BYTES)
        )
        self._same(f"sha256:{hashlib.sha256(content).hexdigest()}", reference)
        return content

    def _for_this_machine(self, manifests: list[dict[str, Any]]) -> str:
        """One that runs here, or the only one."""
        here = _ARCHITECTURES.get(platform.machine(), platform.machine())
        described = [(entry.get("platform") or {}, entry["digest"]) for entry in manifests]
        real = [pair for pair in described if pair[0].get("os") != "unknown"]  # others are attestations
        fitting = [pair for pair in real if (pair[0].get("os"), pair[0].get("architecture")) == ("linux", here)]
        if not fitting and len(real) != 1:
            raise ValueError(f"an index with nothing for linux/{here}")
        digest: str = (fitting or real)[0][1]
        return digest

    def _add(self, layer: dict[str, Any], *, image: bool, links: bool) -> None:
        blob = self._place.scratch / "layer"
        with blob.open("wb") as file:
            found = self._registries.get(
                self._repository,
                f"blobs/{layer['digest']}",
                lambda answer: save(answer, _from_the_beginning(file), self._place.check),
            )
        self._same(found, layer["digest"])
        notes = layer.get("annotations") or {}
        if _TITLE in notes and notes.get(_UNPACK) != "true":
            self._place_file(blob, notes[_TITLE])
        else:
            unpack(blob, self._place.directory, self._place.check, layer=image, links=links)
            blob.unlink()

    def _place_file(self, blob: Path, title: str) -> None:
        root = self._place.directory.resolve()
        file = (root / title).resolve()
        if not file.is_relative_to(root) or file == root:
            raise Problem(Reason.ARCHIVE_INVALID, f"{self._image}: the file {title} would lead out of the source")
        file.parent.mkdir(parents=True, exist_ok=True)
        blob.rename(file)

    def _same(self, found: str, wanted: str) -> None:
        if wanted.startswith("sha256:") and found != wanted:
            raise Problem(Reason.CHECKSUM_MISMATCH, f"{self._image}: the registry gives {found} for {wanted}")


def _from_the_beginning(file: IO[bytes]) -> IO[bytes]:
    """A mirror may have given a part of it."""
    file.seek(0)
    file.truncate()
    return file
