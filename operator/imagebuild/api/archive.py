"""The log archive: whether a build's log and record are kept in a registry, as its spec and the administrator say."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from imagebuild.api.model import Model

_REPOSITORY = re.compile(r"[A-Za-z0-9.:-]+(/([a-z0-9._-]|\{namespace\})+)+")


def _repository(written: str) -> str:
    if not _REPOSITORY.fullmatch(written):
        raise ValueError(
            "must be REGISTRY/REPOSITORY, such as registry.example.com/build-logs/{namespace}: without https://, "
            "without a tag, the repository in lower-case letters"
        )
    return written


ArchiveRepository = Annotated[str, AfterValidator(_repository), Field(max_length=400)]


class ArchiveMode(StrEnum):
    """Which builds are archived."""

    NEVER = "Never"
    ON_REQUEST = "OnRequest"
    """Those that say so (spec.archive.enabled)."""
    ALWAYS = "Always"
    """All, whatever they say."""


class Archive(Model):
    """Where it goes is the administrator's to say."""

    enabled: bool
    """Keep the whole log and a record of each attempt in the registry that the administrator has named. Default: as the
    administrator says. status.warnings says so where it has no effect."""
