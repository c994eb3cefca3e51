"""`spec.cache`: what is read from earlier builds and left for later ones."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from imagebuild.api.cachebackends import CacheSource, CacheTarget
from imagebuild.api.cachevolume import CacheVolume
from imagebuild.api.model import GitRefName, Model, SecretReference, rules, text
from imagebuild.contract.plan import CacheExport, CacheImport

Repository = Annotated[
    str,
    text(
        400,
        (
            "self.matches('^[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$')",
            "must be registry/repository, without tag and digest",
        ),
    ),
]


Stage = Annotated[
    str, text(128, ("self.matches('^[a-zA-Z][a-zA-Z0-9_.-]*$')", "must be the name of a stage of the Dockerfile"))
]


class BranchCache(Model):
    """The registry cache with one ref per branch."""

    repository: Repository | None = None
    """Where the refs are kept. Default: the repository of the first image, which the credentials already cover."""
    base: GitRefName | None = None
    """The branch whose cache a new branch starts from. Default: the default branch of the remote."""
    scope: Annotated[str | None, text(128)] = None
    """Builds with the same scope, source and branch share a ref. Default: context directory, Dockerfile
    path and target."""
    imports: Annotated[CacheImport | None, Field(alias="import")] = None
    """Default CurrentElseBase: the current branch's ref if it exists, else the base branch's."""
    export: CacheExport | None = None
    """Default Always. The ref of the base branch is written by builds of that branch only."""


class Cache(Model):
    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!(has(self.noCache) && self.noCache && has(self.noCacheStages))",
                "give noCache for all stages or noCacheStages for some, not both",
            )
        )
    )

    branch: BranchCache | None = None
    """The registry cache with one ref per branch. On by default wherever an image is pushed, unless import or export
    are given."""
    imports: Annotated[tuple[CacheSource, ...] | None, Field(alias="import", max_length=4)] = None
    """Caches to read beside the branch's. BuildKit may miss hits where it reads several."""
    exports: Annotated[tuple[CacheTarget, ...] | None, Field(alias="export", max_length=4)] = None
    """Caches to write beside the branch's, once the build has succeeded. One that cannot be written fails nothing."""
    s3_credentials: SecretReference | None = None
    """For all S3 caches: a Secret with the key `credentials`, a credentials file as Amazon's tools read it."""
    volume: CacheVolume | None = None
    """Keep all that BuildKit has on a volume, so that RUN --mount=type=cache survives. The branch cache stays on."""
    no_cache: bool | None = None
    """Run all steps anew, and write the caches all the same."""
    no_cache_stages: Annotated[tuple[Stage, ...] | None, Field(min_length=1, max_length=32)] = None
    """Run the steps of these stages anew."""
