"""The files of a directory that are sent, in an order that depends on their names alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from imagebuild.cli.upload.ignore import Ignore, Matched
from imagebuild.cli.upload.problem import UploadError

__all__ = ["Entry", "Tree"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    path: str
    """Relative, with slashes."""
    kind: int
    """One of stat's: S_IFDIR, S_IFREG, S_IFLNK."""
    mode: int
    size: int = 0
    target: str = ""
    """Of a link, as it stands there: it may lead anywhere, and nobody follows it."""


@dataclass(frozen=True, slots=True)
class Tree:
    root: Path
    ignore: Ignore
    always: frozenset[str] = field(default_factory=frozenset)
    """Files that are sent though they are left out: BuildKit wants the Dockerfile and .dockerignore themselves."""
    warn: Callable[[str], None] = print
    context: str = ""
    """The directory inside that the patterns are of; all else is sent."""

    def entries(self) -> Iterator[Entry]:
        """Each directory before what is in it. Raises UploadError."""
        yield from self._inside("", ())

    def _inside(self, directory: str, above: Matched) -> Iterator[Entry]:
        try:
            with os.scandir(self.root / directory) as found:
                children = sorted(found, key=lambda child: child.name)
        except OSError as error:
            raise _unreadable(directory, error) from error
        for child in children:
            path = f"{directory}/{child.name}" if directory else child.name
            out, matched = self._leaves_out(path, above)
            if child.is_dir(follow_symlinks=False):
                yield from self._directory(path, matched, out=out)
            elif not out or path in self.always:
                yield from self._file(path, child)

    def _directory(self, path: str, matched: Matched, *, out: bool) -> Iterator[Entry]:
        """One that is left out is sent with the first of its files that is not."""
        if out and not self._may_hold_more(path):
            return
        itself = Entry(path=path, kind=stat.S_IFDIR, mode=0o755)
        inside = self._inside(path, matched)
        first = next(inside, None)
        if not out or first is not None:
            yield itself
        if first is not None:
            yield first
            yield from inside

    def _leaves_out(self, path: str, above: Matched) -> tuple[bool, Matched]:
        inside = self._in_context(path)
        return self.ignore.leaves_out(inside, above) if inside else (False, ())

    def _may_hold_more(self, directory: str) -> bool:
        wanted = any(name.startswith(f"{directory}/") for name in self.always)
        return wanted or self.ignore.may_take_back(self._in_context(directory))

    def _in_context(self, path: str) -> str:
        """Empty: it is not."""
        if not self.context:
            return path
        return path.removeprefix(f"{self.context}/") if path.startswith(f"{self.context}/") else ""

    def _file(self, path: str, child: os.DirEntry[str]) -> Iterator[Entry]:
        try:
            about = child.stat(follow_symlinks=False)
            if stat.S_ISLNK(about.st_mode):
                yield Entry(path=path, kind=stat.S_IFLNK, mode=0o777, target=str(Path(child.path).readlink()))
            elif stat.S_ISREG(about.st_mode):
                yield Entry(path=path, kind=stat.S_IFREG, mode=_mode(about), size=about.st_size)
            else:
                self.warn(f"{path} is neither file, directory nor link, and is not sent")
        except OSError as error:
            raise _unreadable(path, error) from error


def _mode(about: os.stat_result) -> int:
    """As it arrives: the build pod takes no write permission for others, and no set-user-ID, from an archive. So the
    digest does not depend on the umask of who has checked out. Of directories no mode arrives at all."""
    mode = about.st_mode & 0o755 | 0o600
    return mode if mode & 0o100 else mode & ~0o111


def _unreadable(path: str, error: OSError) -> UploadError:
    what = path or str(error.filename)
    return UploadError(f"{what} cannot be read ({error.strerror}): name it in .dockerignore, or make it readable")
