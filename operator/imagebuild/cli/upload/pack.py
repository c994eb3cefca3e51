"""Files as archives whose digests depend on the files alone, cut so that a change of one file changes one archive.

Where one archive ends and the next begins is decided by the names of files, not by counting from the start: what is
added or removed moves no boundary but the next one. Times are left out, so that another checkout of the same files is
the same artifact. The build pod gives files the time at which it fetches them, as git does: `cargo` and `make`, whose
caches go by time, would otherwise take what has changed for old.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from imagebuild.cli.upload.problem import UploadError
from imagebuild.cli.upload.tree import Entry

__all__ = ["LARGEST", "Packed", "groups", "pack"]

_LEAST, _MEAN, LARGEST = 4 << 20, 4 << 20, 16 << 20
"""Of an archive before it is compressed: it has the least, and then ends after another mean on average. A file that is
larger than the largest is alone."""
_HEADER = 1024
"""What an entry takes in an archive beside its content, about."""
_LEVEL = 3
"""Twice as fast as zlib's default, for a tenth more bytes of source code."""
_KINDS = {stat.S_IFDIR: tarfile.DIRTYPE, stat.S_IFREG: tarfile.REGTYPE, stat.S_IFLNK: tarfile.SYMTYPE}


@dataclass(frozen=True, slots=True)
class Packed:
    digest: str
    size: int


def groups(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    group: list[Entry] = []
    size = 0
    for entry in entries:
        cost = entry.size + _HEADER
        if cost > LARGEST:
            yield [entry]
            continue
        if size + cost > LARGEST:
            yield group
            group, size = [], 0
        group.append(entry)
        size += cost
        if size >= _LEAST and _chance(entry.path) < cost / _MEAN:
            yield group
            group, size = [], 0
    if group:
        yield group


def _chance(path: str) -> float:
    """From 0 to 1, the same for the same path."""
    return int.from_bytes(hashlib.sha256(os.fsencode(path)).digest()[:7]) / (1 << 56)


def pack(root: Path, group: Iterable[Entry], file: IO[bytes], read: Callable[[int], None]) -> Packed:
    """Writes a tar archive, compressed by gzip; `read` is told of bytes as they are. Raises UploadError."""
    out = _Compressed(file)
    with tarfile.open(mode="w", fileobj=cast("IO[bytes]", out), format=tarfile.PAX_FORMAT) as archive:
        for entry in group:
            _add(archive, root, entry)
            read(entry.size)
    return out.finish()


def _add(archive: tarfile.TarFile, root: Path, entry: Entry) -> None:
    member = tarfile.TarInfo(entry.path)
    member.type, member.mode, member.linkname = _KINDS[entry.kind], entry.mode, entry.target
    if not stat.S_ISREG(entry.kind):
        archive.addfile(member)
        return
    member.size = entry.size
    try:
        with (root / entry.path).open("rb") as content:
            archive.addfile(member, content)
    except OSError as error:
        cause = error.strerror or "it has become shorter while it was read"
        raise UploadError(f"{entry.path} cannot be sent ({cause}): name it in .dockerignore, or try again") from error


class _Compressed:
    """A file to write to that compresses, and knows digest and size of what comes out."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._taken, self._size, self._sha = file, 0, 0, hashlib.sha256()
        self._zlib = zlib.compressobj(
            _LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16
        )  # 16: gzip, with neither name nor time

    def write(self, data: bytes) -> int:
        self._keep(self._zlib.compress(data))
        self._taken += len(data)
        return len(data)

    def tell(self) -> int:
        return self._taken

    def finish(self) -> Packed:
        self._keep(self._zlib.flush())
        return Packed(f"sha256:{self._sha.hexdigest()}", self._size)

    def _keep(self, data: bytes) -> None:
        self._sha.update(data)
        try:
            self._size += self._file.write(data)
        except OSError as error:
            raise UploadError(
                f"an archive cannot be kept in TMPDIR ({error.strerror}): make room, or name another"
            ) from error
