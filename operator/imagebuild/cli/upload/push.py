"""`push_directory`: packs a directory, sends what the registry does not have, and says what it is called there."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from imagebuild.cli.upload.ignore import Ignore, ignore_file, parse
from imagebuild.cli.upload.pack import Packed, groups, pack
from imagebuild.cli.upload.problem import UploadError
from imagebuild.cli.upload.reach import reach
from imagebuild.cli.upload.registry import Repository
from imagebuild.cli.upload.tree import Entry, Tree
from imagebuild.contract.layout import SOURCE_ARTIFACT

__all__ = ["Progress", "push_directory"]

_AT_ONCE = 3
"""Archives that are packed and sent side by side; each is a temporary file for that long."""
_LARGE = 100_000_000
_EMPTY = b"{}"
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """So far, in bytes."""

    total: int = 0
    """Of all files."""
    packed: int = 0
    """Of them, those that are packed."""
    sent: int = 0
    """Compressed, as they went out."""
    reused: int = 0
    """Compressed, which the registry had."""


@dataclass(slots=True)
class _Meter:
    show: Callable[[Progress], None]
    now: Progress = field(default_factory=Progress)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when one archive has failed: the others end at their next block."""

    def add(self, what: str, count: int) -> None:
        with self.lock:
            if self.stop.is_set():
                raise UploadError("the push was stopped")
            self.now = replace(self.now, **{what: getattr(self.now, what) + count})
            self.show(self.now)


def push_directory(
    directory: Path,
    repository: str,
    *,
    context: str = "",
    dockerfile: str = "Dockerfile",
    progress: Callable[[Progress], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
    plain_http: bool = False,
    environ: Mapping[str, str] = os.environ,
    sleep: Callable[[float], object] | None = None,
) -> str:
    """`repository@sha256:…`, for spec.source.oci.image. Raises UploadError.

    `repository` begins with the registry's host. `context` is the build context in the directory, whose .dockerignore
    counts; `dockerfile` is a path in the context. The artifact is tagged `source-<hash>`. Both callables may be called
    from other threads, one call at a time.
    """
    entries = _entries(directory, context, dockerfile, warn)
    meter = _Meter(progress)
    meter.add("total", sum(entry.size for entry in entries))
    there = reach(repository, environ, sleep or meter.stop.wait, plain_http=plain_http, sent=partial(meter.add, "sent"))
    layers = _push_layers(directory, entries, there, meter)
    config = {"mediaType": _EMPTY_TYPE, **_describe(_digest(_EMPTY), len(_EMPTY))}
    with tempfile.TemporaryFile() as file:
        file.write(_EMPTY)
        _send(there, Packed(config["digest"], len(_EMPTY)), file, meter)
    document = _manifest(config, layers)
    digest = _digest(document)
    there.tag(f"source-{digest.removeprefix('sha256:')[:12]}", document)
    return f"{repository}@{digest}"


def _entries(directory: Path, context: str, dockerfile: str, warn: Callable[[str], None]) -> list[Entry]:
    if not directory.is_dir():
        raise UploadError(f"{directory} is not a directory: name one, or an address of a git repository")
    file = ignore_file(directory / context, dockerfile)
    try:
        ignore = Ignore() if file is None else parse(file.read_bytes(), file.name)
    except OSError as error:
        raise UploadError(f"{file} cannot be read ({error.strerror}): make it readable, or remove it") from error
    names = (dockerfile, f"{dockerfile}.dockerignore", ".dockerignore")
    always = frozenset(os.path.normpath(Path(context, name)) for name in names)
    below = os.path.normpath(context or ".")
    tree = Tree(directory, ignore, always, warn, "" if below == "." else below)
    entries = list(tree.entries())
    if file is None:
        _warn_of_size(entries, warn)
    return entries


def _warn_of_size(entries: list[Entry], warn: Callable[[str], None]) -> None:
    size = sum(entry.size for entry in entries)
    if size > _LARGE:
        tops: Counter[str] = Counter()
        for entry in entries:
            tops[entry.path.partition("/")[0]] += entry.size
        largest = ", ".join(f"{name} ({count / 1e6:,.0f} MB)" for name, count in tops.most_common(3))
        warn(f"{size / 1e6:,.0f} MB are sent, as there is no .dockerignore; largest: {largest}")


def _push_layers(directory: Path, entries: list[Entry], there: Repository, meter: _Meter) -> list[Packed]:
    """In the order of the files; what is under way is bounded, and ends with the first that fails."""
    running: set[Future[Packed]] = set()
    layers: list[Future[Packed]] = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            for group in groups(entries):
                if len(running) >= _AT_ONCE:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for layer in done:
                        layer.result()
                layers.append(pool.submit(_push_layer, directory, group, there, meter))
                running.add(layers[-1])
            return [layer.result() for layer in layers]
        except BaseException:
            meter.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _push_layer(directory: Path, group: list[Entry], there: Repository, meter: _Meter) -> Packed:
    with tempfile.TemporaryFile(prefix="imagebuild-") as file:
        packed = pack(directory, group, file, partial(meter.add, "packed"))
        _send(there, packed, file, meter)
    return packed


def _send(there: Repository, packed: Packed, file: IO[bytes], meter: _Meter) -> None:
    if there.has(packed.digest):
        meter.add("reused", packed.size)
    else:
        there.upload(packed.digest, file, packed.size)


def _manifest(config: dict[str, Any], layers: list[Packed]) -> bytes:
    described = [{"mediaType": _LAYER_TYPE, **_describe(layer.digest, layer.size)} for layer in layers]
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": SOURCE_ARTIFACT,
        "config": config,
        "layers": described or [config],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _describe(digest: str, size: int) -> dict[str, Any]:
    return {"digest": digest, "size": size}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
