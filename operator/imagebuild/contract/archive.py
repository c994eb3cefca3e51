"""The log archive: where a pod puts its log and its record when the build has ended, and what others find there.

An OCI artifact with two layers, each a file by its title, so that `oras pull` makes files of them, too.
"""

from __future__ import annotations

from dataclasses import dataclass

from imagebuild.contract.mounts import RegistrySecret

__all__ = ["ARTIFACT", "ERROR_LENGTH", "LOG", "LOG_BYTES", "RECORD", "Archive", "File"]

ARTIFACT = "application/vnd.imagebuild.build.v1"
"""The artifactType."""
LOG_BYTES = 64 << 20
"""Of a log that are kept: its beginning and its end, half each."""
ERROR_LENGTH = 600
"""Characters of why there is none."""


@dataclass(frozen=True, slots=True)
class File:
    """A layer."""

    title: str
    media_type: str


LOG = File("log.txt.gz", "application/vnd.imagebuild.log.v1+gzip")
"""Lines as `kubectl logs --timestamps` prints them, what the runner sums up for `imagebuild timeline` included."""
RECORD = File("record.json", "application/vnd.imagebuild.record.v1+json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Of one attempt."""

    repository: str
    tag: str
    """No other attempt's, also of another ImageBuild of that name."""
    secret: RegistrySecret | None = None
    """The administrator's: BuildKit never gets it."""
    namespace: str
    name: str
    """Of the ImageBuild."""
    run: int
    attempt: int
    builder: str = ""
    """The image that the pod runs."""
