"""The log archive: whether a build's log and record are kept in a registry, as its spec and the administrator say."""

from __future__ import annotations

from enum import StrEnum

from imagebuild.api.model import Model


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
