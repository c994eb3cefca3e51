"""What a spec names outside of itself: the Secrets that its build mounts, and the places that it may write to."""

from __future__ import annotations

from collections.abc import Iterator

from imagebuild.api.cache import Cache
from imagebuild.api.cachebackends import CacheTarget
from imagebuild.api.model import Model, SecretReference
from imagebuild.api.registry import RegistrySecret
from imagebuild.api.secret import SecretKeySelector
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.contract.plan import CacheExport
from imagebuild.core.output import normalized


def secrets(spec: ImageBuildSpec) -> Iterator[tuple[str, str]]:
    """Field and name of every Secret, by the types of the fields: one that is added later is found, too."""
    yield from _secrets("spec", spec)


def _secrets(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, SecretReference | SecretKeySelector | RegistrySecret):
        yield path, value.name
    elif isinstance(value, Model):
        for name, field in type(value).model_fields.items():
            yield from _secrets(f"{path}.{field.alias or name}", getattr(value, name))
    elif isinstance(value, tuple):
        for each in value:
            yield from _secrets(path, each)


def destinations(spec: ImageBuildSpec) -> Iterator[tuple[str, str]]:
    """Field and place of all that the build may write to outside of its namespace. Without a word about its repository
    the branch cache is beside the first image."""
    for image in spec.output.images or ():
        yield "spec.output.images", normalized(image)
    cache = spec.cache or Cache()
    if cache.branch and cache.branch.repository and cache.branch.export is not CacheExport.NEVER:
        yield "spec.cache.branch.repository", normalized(cache.branch.repository)
    for target in cache.exports or ():
        if place := _place(target):
            yield "spec.cache.export", place


def _place(target: CacheTarget) -> str:
    """Empty where that is inside of the namespace, or of an image that is named already."""
    if target.registry:
        return normalized(target.registry.ref)
    if target.s3:
        url = target.s3.endpoint_url
        return f"{url.rstrip('/')}/{target.s3.bucket}" if url else f"s3://{target.s3.bucket}"
    if target.azblob:
        return f"{target.azblob.account_url.rstrip('/')}/{target.azblob.container or 'buildkit-cache'}"
    return ""
