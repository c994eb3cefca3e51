"""`spec.cache.import` and `spec.cache.export`: where BuildKit may keep a cache, beside the refs of the branch cache."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from imagebuild.api.model import Model, ObjectName, RelativePath, rules, text

_Word = Annotated[
    str, text(255, ("self.matches('^[a-zA-Z0-9][a-zA-Z0-9._/-]*$')", "must have letters, digits, '.', '_', '-', '/'"))
]
_NO_WAY_UP = ("!self.contains('..')", "must not have '..'")
"""The administrator's list `allow.registries` compares such places as text."""
_Url = Annotated[
    str,
    text(
        512,
        ("self.matches('^https?://[^ ,\"@?#%]+$')", "must be https://host without a password, '?', '#' or '%'"),
        _NO_WAY_UP,
    ),
]
_Bucket = Annotated[
    str,
    text(
        63,
        ("self.matches('^[a-zA-Z0-9$][a-zA-Z0-9._-]*$')", "must have letters, digits, '.', '_', '-'"),
        _NO_WAY_UP,
    ),
]
_Ref = Annotated[
    str,
    text(
        512,
        (
            "self.matches('^[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+:[a-zA-Z0-9_][a-zA-Z0-9_.-]*$')",
            "must be registry/repository:tag",
        ),
    ),
]


class CacheMode(StrEnum):
    MIN = "Min"
    MAX = "Max"


class Compression(StrEnum):
    ZSTD = "Zstd"
    GZIP = "Gzip"
    ESTARGZ = "Estargz"
    UNCOMPRESSED = "Uncompressed"


class RegistryCache(Model):
    ref: _Ref
    """registry/repository:tag. Credentials come from registrySecrets."""


class S3Cache(Model):
    """Of an object store that speaks S3. Credentials come from cache.s3Credentials, or from the pod's identity."""

    bucket: _Bucket
    """It must exist."""
    region: Annotated[_Word, Field(max_length=63)]
    """Such as eu-central-1; of a server of one's own often us-east-1."""
    name: _Word | None = None
    """Of the cache in the bucket, such as shop-main. Default: buildkit."""
    prefix: _Word | None = None
    """Before all objects of the cache, such as caches/."""
    endpoint_url: Annotated[_Url | None, Field(alias="endpointURL")] = None
    """Of a server that is not Amazon's."""
    use_path_style: bool | None = None
    """Bucket in the path and not in the host name, as most servers that are not Amazon's want it."""


class AzureBlobCache(Model):
    """Of Azure Blob Storage, by the pod's workload identity: BuildKit takes a key on its command line only."""

    account_url: Annotated[_Url, Field(alias="accountURL")]
    """Such as https://account.blob.core.windows.net."""
    container: _Bucket | None = None
    """Default: buildkit-cache."""
    name: _Word | None = None
    """Of the cache in the container. Default: buildkit."""
    prefix: _Word | None = None
    """Before all objects of the cache."""


class LocalCache(Model):
    """A directory on a PersistentVolumeClaim of the build's namespace, which is mounted."""

    claim_name: ObjectName
    """Of the PersistentVolumeClaim. The build waits for it."""
    path: RelativePath | None = None
    """The directory in the volume. Default: the volume itself."""


class InlineCache(Model):
    """Inside the image that is pushed; of its last stage only."""


_ONE_SOURCE = "[has(self.registry), has(self.s3), has(self.azblob), has(self.local)].filter(x, x).size() == 1"
_ONE_TARGET = (
    "[has(self.registry), has(self.s3), has(self.azblob), has(self.local), has(self.inline)].filter(x, x).size() == 1"
)


class CacheSource(Model):
    model_config = ConfigDict(
        json_schema_extra=rules((_ONE_SOURCE, "give one place to import from: registry, s3, azblob or local"))
    )

    registry: RegistryCache | None = None
    """A ref of a registry: a cache that was exported there, or an image with an inline cache."""
    s3: S3Cache | None = None
    """An object store that speaks S3."""
    azblob: AzureBlobCache | None = None
    """Azure Blob Storage."""
    local: LocalCache | None = None
    """A directory on a claim."""


class CacheTarget(Model):
    model_config = ConfigDict(
        json_schema_extra=rules(
            (_ONE_TARGET, "give one place to export to: registry, s3, azblob, local or inline"),
            (
                "!has(self.inline) || (!has(self.mode) && !has(self.compression))",
                "an inline cache has neither mode nor compression of its own",
            ),
        )
    )

    registry: RegistryCache | None = None
    """A ref of a registry."""
    s3: S3Cache | None = None
    """An object store that speaks S3."""
    azblob: AzureBlobCache | None = None
    """Azure Blob Storage."""
    local: LocalCache | None = None
    """A directory on a claim."""
    inline: InlineCache | None = None
    """Inside the image that is pushed: `inline: {}`."""
    mode: CacheMode | None = None
    """Max (the default): all steps. Min: those of the last stage."""
    compression: Compression | None = None
    """Of layers that are not compressed yet. Default: Zstd."""
