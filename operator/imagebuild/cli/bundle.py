"""What was gathered as files without secrets, and the files as one archive."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from imagebuild import __version__
from imagebuild.cli import show
from imagebuild.cli.gather import Gathered
from imagebuild.cli.redact import GONE, Redaction

__all__ = ["files", "pack", "write"]

TOP = "imagebuild-report"
_README = """\
A bug report of imagebuild {version}, made on {now}.

LOOK AT IT BEFORE YOU SEND IT. What looks like a secret is replaced by {gone}, by its name or its form; that
finds most, and not all. No Secret was read. It does have names of images, registries, repositories, namespaces and
nodes, Dockerfiles that are inline, and the logs of builds and of the operator, with what their steps have printed.
{args}
missing.txt: what could not be read, and why.
cluster/:    the version of Kubernetes, and which CRD is installed.
builds/:     ImageBuilds.
pods/:       their pods, and their logs: the last 5,000 lines of each.
events.yaml: Events about both.
operator/:   the operator's Deployment, pods, configuration and logs, where they could be read.
"""


def files(gathered: Gathered, redaction: Redaction, now: datetime, *, args: bool) -> dict[str, str]:
    """By their names, which are the same for the same objects."""
    for document in gathered.documents.values():
        redaction.learn(document)
    kept = "Values of spec.args are in it." if args else "Values of spec.args are left out; --include-args has them."
    missing = "".join(f"{redaction.text(line)}\n" for line in sorted(gathered.missing)) or "Nothing.\n"
    readme = _README.format(version=__version__, now=now.isoformat(timespec="seconds"), gone=GONE, args=kept)
    made = {
        "README.txt": readme,
        "missing.txt": missing,
        **{name: show.to_yaml(redaction.document(each)) + "\n" for name, each in gathered.documents.items()},
        **{name: redaction.text(text) for name, text in gathered.logs.items()},
    }
    return dict(sorted(made.items()))


def pack(made: Mapping[str, str], now: datetime) -> bytes:
    """All in one directory, so that unpacking makes no mess."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for name, text in made.items():
            content = text.encode(errors="replace")
            entry = tarfile.TarInfo(f"{TOP}/{name}")
            entry.size, entry.mode, entry.mtime = len(content), 0o600, int(now.timestamp())
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def write(file: Path, packed: bytes) -> None:
    """For its user alone. Raises FileExistsError rather than write over anything."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(packed)
