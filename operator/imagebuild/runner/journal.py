"""The complete log of a pod, kept in files for the archive: of a very long one the beginning and the end.

The kubelet keeps about 10 MiB of a log in one file and shows no more than that; this is independent of it. Nothing here
disturbs a build: what cannot be written is left out, and a line says so.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from imagebuild.contract.archive import LOG_BYTES

__all__ = ["Journal"]

_LINE = 1 << 20
_BLOCK = 1 << 20


class Journal:
    """A file for the first half, and two that take turns for the last quarters of what follows."""

    def __init__(self, directory: Path, limit: int = LOG_BYTES) -> None:
        self._directory, self._limit = directory, limit
        self._lock = threading.Lock()
        self._number, self._size, self._left_out, self._full = 0, 0, 0, False
        self._file = self._opened(0)
        self.lines = 0
        """That were written, kept or not."""

    def write(self, text: bytes) -> None:
        """A line, without its end, or some. From any thread; never raises."""
        for line in text.split(b"\n"):
            self._write(line)

    def _write(self, line: bytes) -> None:
        entry = b"%s %s\n" % (_now(), line[:_LINE])
        with self._lock:
            self.lines += 1
            try:
                if self._size + len(entry) > self._limit // (4 if self._number else 2):
                    self._turn()
                self._size += os.write(self._file, entry)
            except OSError:
                self._full = True

    def blocks(self) -> Iterator[bytes]:
        """What is kept so far. Who writes meanwhile does not wait for it."""
        with contextlib.ExitStack() as files:
            with self._lock:
                numbers = [0, *range(max(1, self._number - 1), self._number + 1)] if self._number else [0]
                kept = [files.enter_context(self._path(number).open("rb")) for number in numbers]
                left_out, full = self._left_out, self._full
            for place, file in enumerate(kept):
                if place == 1 and left_out:
                    yield self._word(f"{left_out:,} bytes of the log are left out here: it was too long to keep")
                while block := file.read(_BLOCK):
                    yield block
            if full:
                yield self._word("lines are missing: there was no room for them on the disk")

    def _turn(self) -> None:
        """On to the next file, without the one before the last."""
        opened = self._opened(self._number + 1)
        os.close(self._file)
        self._file, self._number, self._size = opened, self._number + 1, 0
        if self._number > 2:  # noqa: PLR2004  of three that take turns
            old = self._path(self._number - 2)
            self._left_out += old.stat().st_size
            old.unlink()

    def _opened(self, number: int) -> int:
        return os.open(self._path(number), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def _path(self, number: int) -> Path:
        return self._directory / f"log-{number}"

    @staticmethod
    def _word(text: str) -> bytes:
        return b"%s %s\n" % (_now(), f"… {text} …".encode())


def _now() -> bytes:
    """As the kubelet writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
