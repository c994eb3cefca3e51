"""Reads what zstd has compressed, as layers of images often are: by libzstd, which each Debian has (dpkg needs it).

Python has this only from 3.14 on. The part of libzstd's interface that is used here is declared stable by it.
"""

from __future__ import annotations

import ctypes
import re
from typing import IO

__all__ = ["Reader", "ZstdError", "is_zstd"]

_LIBRARY = "libzstd.so.1"
_BEGINS = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")
"""A frame, or one to be skipped, which some writers begin with."""
_BLOCK = 128 << 10


class ZstdError(ValueError):
    """What was to be read is not what zstd writes."""


def is_zstd(head: bytes) -> bool:
    return _BEGINS.match(head) is not None


class _Buffer(ctypes.Structure):
    """ZSTD_inBuffer and ZSTD_outBuffer."""

    _fields_ = (("place", ctypes.c_void_p), ("size", ctypes.c_size_t), ("position", ctypes.c_size_t))


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(_LIBRARY)
    pointer = ctypes.POINTER(_Buffer)
    library.ZSTD_createDStream.restype = ctypes.c_void_p
    library.ZSTD_freeDStream.argtypes = (ctypes.c_void_p,)
    library.ZSTD_decompressStream.argtypes = (ctypes.c_void_p, pointer, pointer)
    library.ZSTD_decompressStream.restype = ctypes.c_size_t
    library.ZSTD_isError.argtypes = library.ZSTD_getErrorName.argtypes = (ctypes.c_size_t,)
    library.ZSTD_getErrorName.restype = ctypes.c_char_p
    return library


class Reader:
    """As much of a file as tarfile asks of a stream. libzstd refuses what would take more than 128 MiB of memory."""

    def __init__(self, file: IO[bytes]) -> None:
        """Raises OSError where there is no libzstd."""
        self._file, self._library = file, _library()
        self._stream = self._library.ZSTD_createDStream()
        self._space = ctypes.create_string_buffer(_BLOCK)
        self._kept = ctypes.create_string_buffer(_BLOCK)
        self._in = _Buffer(ctypes.addressof(self._kept), 0, 0)
        self._ready, self._more = b"", 0

    def __enter__(self) -> Reader:  # noqa: PYI034 nothing is derived from it
        return self

    def __exit__(self, *_: object) -> None:
        self._library.ZSTD_freeDStream(self._stream)

    def read(self, size: int) -> bytes:
        """Less than `size` only at the end. Raises ZstdError."""
        parts, wanted = [self._ready], size - len(self._ready)
        while wanted > 0 and (part := self._part()):
            parts.append(part)
            wanted -= len(part)
        whole = b"".join(parts)
        self._ready = whole[size:]
        return whole[:size]

    def _part(self) -> bytes:
        """What comes next; nothing at the end."""
        while True:
            ended = self._in.position == self._in.size and not self._refill()
            out = _Buffer(ctypes.addressof(self._space), _BLOCK, 0)
            left = self._library.ZSTD_decompressStream(self._stream, ctypes.byref(out), ctypes.byref(self._in))
            if self._library.ZSTD_isError(left):
                raise ZstdError(f"zstd: {self._library.ZSTD_getErrorName(left).decode()}")
            if not ended or out.position:
                self._more = left
            if out.position:
                return self._space.raw[: out.position]
            if ended and self._more:
                raise ZstdError("zstd: it ends in the middle")
            if ended:
                return b""

    def _refill(self) -> bool:
        block = self._file.read(_BLOCK)
        ctypes.memmove(self._kept, block, len(block))
        self._in.size, self._in.position = len(block), 0
        return bool(block)
