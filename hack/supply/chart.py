"""The Helm chart of a release: packed as Helm packs it, with its images by digest."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

from generator.chart import chart
from supply.installation import MANIFESTS
from supply.publish import Published


def pack(file: Path, builder: Published, operator: Published, epoch: int) -> None:
    """The same files give the same archive."""
    files = chart(MANIFESTS, operator=operator.name, builder=builder.name, bounds=True)
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"imagebuild/{name}")
            content = text.encode()
            entry.size, entry.mtime = len(content), epoch
            archive.addfile(entry, io.BytesIO(content))
    file.write_bytes(gzip.compress(plain.getvalue(), mtime=0))
