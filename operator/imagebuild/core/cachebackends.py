"""`spec.cache.import`, `export` and `noCache` as words of buildctl, and no secret among them: credentials are files.

Refs of registries are asked for by the runner before they are imported, since a registry that does not answer would
keep BuildKit waiting for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from imagebuild.api.cache import Cache
from imagebuild.api.cachebackends import (
    AzureBlobCache,
    CacheMode,
    CacheSource,
    CacheTarget,
    Compression,
    LocalCache,
    S3Cache,
)
from imagebuild.contract import layout, plan
from imagebuild.contract.record import record
from imagebuild.core.part import Part, PlanFields, secret_volume


def backends(cache: Cache) -> Part:
    imports, exports = cache.imports or (), cache.exports or ()
    claims = _claims((*imports, *exports))
    others = tuple(_words(_place(each, "src", claims)) for each in imports if each.registry is None)
    refs = tuple(each.registry.ref for each in imports if each.registry is not None)
    fields = PlanFields()
    if refs or others:
        fields["cache_imports"] = plan.CacheImports(refs=refs, others=others)
    written = tuple(each.registry.ref for each in exports if each.registry is not None)
    if written:
        fields["cache_exports"] = written
    words = (word for each in exports for word in ("--export-cache", _export(each, claims)))
    return Part(plan=fields, args=(*_no_cache(cache), *words)) + _volumes(claims) + _credentials(cache)


def _no_cache(cache: Cache) -> tuple[str, ...]:
    if cache.no_cache:
        return ("--opt", "no-cache=")
    return ("--opt", f"no-cache={','.join(cache.no_cache_stages)}") if cache.no_cache_stages else ()


def _export(target: CacheTarget, claims: Mapping[str, str]) -> str:
    if target.inline is not None:
        return "type=inline"
    how = {
        "mode": (target.mode or CacheMode.MAX).lower(),
        "compression": (target.compression or Compression.ZSTD).lower(),
        "ignore-error": "true",
    }
    place = {"type": "registry", "ref": target.registry.ref} if target.registry else _place(target, "dest", claims)
    return _words({**place, **how})


def _place(given: CacheSource | CacheTarget, directory: str, claims: Mapping[str, str]) -> dict[str, str]:
    if given.s3 is not None:
        return _given(_s3(given.s3))
    if given.azblob is not None:
        return _given(_azblob(given.azblob))
    assert given.local is not None, "the schema lets nothing else in"
    return {"type": "local", directory: _directory(given.local, claims)}


def _given(attributes: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in attributes.items() if value is not None}


def _s3(given: S3Cache) -> dict[str, str | None]:
    return {
        "type": "s3",
        "bucket": given.bucket,
        "region": given.region,
        "name": given.name,
        "prefix": given.prefix,
        "endpoint_url": given.endpoint_url,
        "use_path_style": "true" if given.use_path_style else None,
    }


def _azblob(given: AzureBlobCache) -> dict[str, str | None]:
    return {
        "type": "azblob",
        "account_url": given.account_url,
        "container": given.container,
        "name": given.name,
        "prefix": given.prefix,
    }


def _directory(given: LocalCache, claims: Mapping[str, str]) -> str:
    return f"{claims[given.claim_name]}/{given.path}" if given.path else claims[given.claim_name]


def _claims(given: Iterable[CacheSource | CacheTarget]) -> dict[str, str]:
    """Where each claim is mounted: once, however often it is named."""
    names = dict.fromkeys(each.local.claim_name for each in given if each.local is not None)
    return {name: f"{layout.CACHE_DIR}/{place}" for place, name in enumerate(names)}


def _volumes(claims: Mapping[str, str]) -> Part:
    if not claims:
        return Part()
    return Part(
        plan=PlanFields(claims=tuple(plan.Mount(name=name, path=path) for name, path in claims.items())),
        volumes=tuple(
            {"name": f"cache-{place}", "persistentVolumeClaim": {"claimName": name}}
            for place, name in enumerate(claims)
        ),
        mounts=tuple({"name": f"cache-{place}", "mountPath": path} for place, path in enumerate(claims.values())),
    )


def _credentials(cache: Cache) -> Part:
    if cache.s3_credentials is None:
        return Part()
    secret = plan.Mount(name=cache.s3_credentials.name, path=layout.S3_CREDENTIALS_DIR)
    return Part(plan=PlanFields(s3_credentials=secret)) + secret_volume("s3-credentials", secret.path, secret.name)


def _words(fields: Mapping[str, str]) -> str:
    return record(f"{key}={value}" for key, value in fields.items())
