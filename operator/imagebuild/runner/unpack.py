"""A tar archive of somebody else's into a directory: nothing of it lands, or leads, outside."""

from __future__ import annotations

import errno
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

from imagebuild.contract.reasons import Reason
from imagebuild.runner import zstd
from imagebuild.runner.problem import Problem

__all__ = ["unpack"]

_BROKEN = (tarfile.TarError, EOFError, KeyError, ValueError, zlib.error)
_REMOVED, _EMPTIED = ".wh.", ".wh..wh..opq"
"""How a layer of an image says that a file of the layers below is gone, and that a directory begins anew."""
_NO_NAMES = {"", ".", ".."}
"""Of the directory itself, and of the one above it."""


def unpack(
    archive: Path, directory: Path, check: Callable[[], None], *, layer: bool = False, links: bool = False
) -> None:
    """Raises Problem for what is no archive, or a hostile one. `layer`: of an image, on top of what is there. `links`:
    those that lead out are kept, as in a checkout; nothing is ever written through them.
    """
    directory = directory.resolve()
    try:
        with _opened(archive) as tar:
            for member in tar:
                check()
                if layer and _removes(member, directory):
                    continue
                if layer:
                    _make_way(member, directory)
                tar.extract(member, directory, filter=_as_checked_out if links else _checked)
                _is_there(member, directory)
    except _BROKEN as error:
        raise Problem(Reason.ARCHIVE_INVALID, f"the archive cannot be unpacked: {error}") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise Problem(Reason.DISK_FULL, "the disk is full with what the archive holds") from error
        raise Problem(Reason.ARCHIVE_INVALID, f"the archive cannot be unpacked: {error.strerror or error}") from error


@contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    """As a stream: an archive is read once, and `r|*` finds out how it is compressed, but for zstd."""
    with archive.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if not zstd.is_zstd(head):
            with tarfile.open(fileobj=file, mode="r|*") as tar:
                yield tar
            return
        with zstd.Reader(file) as reader, tarfile.open(fileobj=cast("IO[bytes]", reader), mode="r|") as tar:
            yield tar


def _checked(member: tarfile.TarInfo, directory: str) -> tarfile.TarInfo:
    """What has no time gets that of now, as in a checkout. BuildKit's state on a claim and the caches of `cargo` and
    `make` go by times: a file of the same size with other content would be no change.
    """
    checked = tarfile.data_filter(member, directory)
    return checked.replace(mtime=cast("float", None), deep=False) if checked.mtime == 0 else checked


def _as_checked_out(member: tarfile.TarInfo, directory: str) -> tarfile.TarInfo:
    return tarfile.tar_filter(member, directory) if member.issym() else _checked(member, directory)


def _removes(member: tarfile.TarInfo, directory: Path) -> bool:
    """Done, if the member is the mark of something that is gone."""
    name = PurePosixPath(member.name)
    if not name.name.startswith(_REMOVED):
        return False
    parent, removed = _parent(member, name, directory), name.name.removeprefix(_REMOVED)
    if removed in _NO_NAMES:
        raise tarfile.OutsideDestinationError(member, str(parent / removed))
    for path in parent.iterdir() if name.name == _EMPTIED and parent.is_dir() else [parent / removed]:
        _remove(path)
    return True


def _make_way(member: tarfile.TarInfo, directory: Path) -> None:
    """What a layer has takes the place of what the layers below have, whatever either is: nothing is written into a
    file that has another name, too, or through a link. Directories are joined."""
    name = PurePosixPath(member.name)
    if name.name in _NO_NAMES:
        return
    below = _parent(member, name, directory) / name.name
    if not (member.isdir() and below.is_dir() and not below.is_symlink()):
        _remove(below)


def _is_there(member: tarfile.TarInfo, directory: Path) -> None:
    """A link that cannot be made is left out without a word."""
    if (member.issym() or member.islnk()) and not os.path.lexists(directory / member.name.lstrip("/")):
        raise tarfile.ExtractError(f"the link {member.name} cannot be made")


def _parent(member: tarfile.TarInfo, name: PurePosixPath, directory: Path) -> Path:
    """Where the member is, within the directory, whose path has no links in it."""
    parent = (directory / str(name.parent).lstrip("/")).resolve()
    if not parent.is_relative_to(directory):
        raise tarfile.OutsideDestinationError(member, str(parent))
    return parent


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
