"""The log of a build from the registry where it is archived, with the user's own login: for when its pod is gone."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import time
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from imagebuild.cli.exits import Exit
from imagebuild.cli.logs import Line
from imagebuild.cli.problem import Problem
from imagebuild.cli.view import View
from imagebuild.contract.archive import ARTIFACT, LOG, LOG_BYTES

if TYPE_CHECKING:
    from imagebuild.cli.upload.registry import Repository

__all__ = ["image", "plain_http_option", "read"]

_IMAGE = re.compile(r"([^@\s]+)@(sha256:[0-9a-f]{64})")
_ROOM = LOG_BYTES + (8 << 20)
"""What the runner writes fits: more is no log of its."""
_MANIFEST = 4 << 20
"""The largest that registries take."""
_GZIP = 31
"""How zlib is told that there is a header of gzip's."""

plain_http_option = click.option("--archive-plain-http", is_flag=True, help="The archive's registry has no TLS.")


def image(build: View, run: int | None = None) -> str:
    """That of the run, or of the newest one; empty where there is none. Raises Problem for a run that is not known."""
    if run in (None, build.run):
        return str(build.of("archive").get("image") or "")
    record = next((each for each in build.status.get("history") or () if each.get("run") == run), None)
    if record is None:
        said = f"{build.name} has no run {run}, or not any more: its status has the last five."
        raise Problem(said, "The tags of the archive's repository have the numbers of all runs that are kept there.")
    return str(record.get("archive") or "")


def read(image: str, *, plain_http: bool, environ: Mapping[str, str] = os.environ) -> Iterator[Line]:
    """All lines, as the pod's log has them. Raises Problem."""
    from imagebuild.cli.upload import UploadError  # noqa: PLC0415  of no use where the pod is there
    from imagebuild.cli.upload.reach import reach  # noqa: PLC0415
    from imagebuild.cli.upload.token import PULL  # noqa: PLC0415

    found = _IMAGE.fullmatch(image)
    if found is None:
        raise Problem(f"{image} is no artifact by digest.", "Is this command as new as the operator?")
    try:
        there = reach(found[1], environ, time.sleep, plain_http=plain_http, actions=PULL)
        document = json.loads(_content(there, image, "manifests", found[2], _MANIFEST))
        log = next(layer for layer in _layers(document) if layer.get("mediaType") == LOG.media_type)
        packed = _content(there, image, "blobs", str(log["digest"]), _ROOM)
    except UploadError as error:
        raise Problem(str(error), code=Exit.INFRASTRUCTURE if error.again else Exit.CONFIGURATION) from error
    except (ValueError, TypeError, KeyError, StopIteration, RecursionError) as error:
        raise Problem(f"{image} is no log archive of a build.", "Is this command as new as the operator?") from error
    # a step may print all else that Python takes for the end of a line
    for text in io.BytesIO(_unpacked(packed, image)):
        stamp, _, rest = text.decode(errors="replace").rstrip("\n").partition(" ")
        yield Line(stamp, rest)


def _layers(document: Any) -> list[dict[str, Any]]:
    if not isinstance(document, dict) or document.get("artifactType") != ARTIFACT:
        raise ValueError
    return [layer for layer in document.get("layers") or () if isinstance(layer, dict)]


def _content(there: Repository, image: str, kind: str, digest: str, most: int) -> bytes:
    content = there.get(f"{kind}/{digest}", most)
    if content is None:
        host = image.partition("/")[0]
        raise Problem(
            f"{image}: the registry has no such archive, or not for your login.",
            f"Registries clean up what is old. If it is there, log in as somebody who may pull: docker login {host}",
        )
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise Problem(f"{image}: the registry gives something else than {digest}.", "Ask who runs the registry.")
    return content


def _unpacked(packed: bytes, image: str) -> bytes:
    try:
        return zlib.decompressobj(_GZIP).decompress(packed, _ROOM)
    except zlib.error as error:
        raise Problem(f"{image}: the log in it cannot be unpacked ({error}).", "Ask who runs the registry.") from error
