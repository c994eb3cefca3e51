"""Layers as a test reads them: beside hack/, whose commands run before there is anything but Python."""

from __future__ import annotations

import gzip

import zstandard


def unpacked(content: bytes) -> bytes:
    """A layer as the tar that it is, whether it is packed with gzip or zstd; anything else as it is."""
    if content.startswith(b"\x1f\x8b"):
        return gzip.decompress(content)
    if content.startswith(b"\x28\xb5\x2f\xfd"):
        return zstandard.ZstdDecompressor().decompressobj().decompress(content)
    return content
