"""`spec.output`: where the image goes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

from imagebuild.api.model import Model, rules, text
from imagebuild.contract.plan import IfExists

_IMAGE = (
    "self.matches('^[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    "(:([a-zA-Z0-9_]|[{][a-zA-Z]+[}])([a-zA-Z0-9_.-]|[{][a-zA-Z]+[}])*)?$')"
)
_REGISTRY = "self.matches('^(localhost|[^/]*[.:][^/]*)/')"
_PLACEHOLDERS = (
    "self.replace('{commit}', '').replace('{shortCommit}', '').replace('{branch}', '').replace('{run}', '')"
    ".matches('^[^{}]*$')"
)

ImageRef = Annotated[
    str,
    text(
        512,
        (_IMAGE, "must be registry/repository:tag, with lower-case letters in the repository and without a digest"),
        (_REGISTRY, "must begin with the host of a registry, which for Docker Hub is docker.io: docker.io/alice/app:1"),
        (_PLACEHOLDERS, "may hold the placeholders {commit}, {shortCommit}, {branch} and {run}, and no others"),
    ),
]


_NO_SPACE = "self.all(key, key.matches('^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,254}$'))"
_LOWER_CASE = "self.all(key, key.matches('^[a-z0-9][a-z0-9._/-]{0,254}$') && !key.startsWith('imagebuild.dev/'))"
Text = Annotated[str, Field(max_length=4096)]


class CompressionType(StrEnum):
    GZIP = "Gzip"
    ZSTD = "Zstd"
    ESTARGZ = "Estargz"
    UNCOMPRESSED = "Uncompressed"


class Compression(Model):
    """Of the layers that the build makes. Those of the images it starts from stay as they are."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.level) || (self.type != 'Uncompressed' && (self.type == 'Zstd' || self.level <= 9))",
                "level is 0 to 9, of Zstd 0 to 22, and Uncompressed has none",
            )
        )
    )

    type: CompressionType
    """Gzip every registry and runtime reads. Zstd is several times faster. Estargz is gzip that runtimes with a
    snapshotter for it need not pull as a whole."""
    level: Annotated[int | None, Field(ge=0, le=22)] = None
    """Higher is smaller and slower. Default: BuildKit's."""


COMMIT = "Commit"
Epoch = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
    Field(
        max_length=10,
        json_schema_extra={
            "x-kubernetes-int-or-string": True,
            **rules(
                (
                    "string(self).matches('^(Commit|[0-9]{1,10})$')",
                    "must be Commit, or the seconds since 1970 as a whole number",
                )
            ),
        },
    ),
]


class Provenance(StrEnum):
    NONE = "None"
    MIN = "Min"
    MAX = "Max"


class Output(Model):
    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "has(self.images) != (has(self.discard) && self.discard)",
                "say where the image goes: give images, or discard: true to build and keep nothing",
            )
        )
    )

    images: Annotated[tuple[ImageRef, ...] | None, Field(min_length=1, max_length=16)] = None
    """References to push. Placeholders: {commit}, {shortCommit} (12 digits), {branch} (as a tag may be, and with a
    hash where it is longer than 63 characters) and {run}."""
    discard: bool | None = None
    """Build and keep nothing."""
    if_exists: IfExists | None = None
    """What to do where the images exist already. Overwrite (the default): build and push. Reuse: build nothing if all
    of them were built from the same inputs and commit. Fail: build nothing, and fail, if one of them exists."""
    labels: Annotated[
        dict[str, Text] | None,
        Field(
            max_length=64,
            json_schema_extra=rules((_NO_SPACE, "a name of a label has letters, digits, '.', '_', '/' and '-'")),
        ),
    ] = None
    """Of the image's configuration, over those of the Dockerfile. Values arrive byte for byte, but for the placeholders
    {commit}, {shortCommit}, {branch} (its whole name) and {run}; other braces stay as they are."""
    annotations: Annotated[
        dict[str, Text] | None,
        Field(
            max_length=64,
            json_schema_extra=rules(
                (
                    _LOWER_CASE,
                    "a name of an annotation has lower-case letters, digits, '.', '_', '/' and '-', no imagebuild.dev/",
                )
            ),
        ),
    ] = None
    """Of the image's manifest, and of its index where it has one; values as in labels."""
    compression: Compression | None = None
    """Of the layers that the build makes. Default: gzip, but for layers that come from a cache, which are zstd."""
    provenance: Provenance | None = None
    """How the image was made, as an attestation beside it. Min: which sources and parameters. Max: each step, too, and
    the Dockerfile. Neither holds a secret, both hold the args. Default: None."""
    sbom: bool | None = None
    """What is in the image, as an attestation beside it. The administrator chooses the scanner (sbomScanner)."""
    source_date_epoch: Epoch | None = None
    """The time of all that the image holds, instead of when it was made: Commit, the time of the commit that is built,
    or seconds since 1970. Steps have it after ARG SOURCE_DATE_EPOCH. What is built the same then has the same digest.
    Each time has a branch cache of its own."""
