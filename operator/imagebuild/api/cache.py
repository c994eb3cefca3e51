"""`spec.cache`: what is read from earlier builds and left for later ones."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from imagebuild.api.model import GitRefName, Model, text
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


class BranchCache(Model):
    """The registry cache with one ref per branch."""

    repository: Repository | None = None
    """Where the refs are kept. Default: the repository of the first image, which the credentials already cover."""
    base: GitRefName | None = None
    """The branch whose cache a new branch starts from. Default: the default branch of the remote."""
    scope: Annotated[str | None, text(128)] = None
    """Builds with the same scope, source and branch share a ref. Default: Dockerfile path and target."""
    imports: Annotated[CacheImport | None, Field(alias="import")] = None
    """Default CurrentElseBase: the current branch's ref if it exists, else the base branch's."""
    export: CacheExport | None = None
    """Default Always. The ref of the base branch is written by builds of that branch only."""


class Cache(Model):
    branch: BranchCache | None = None
    """The registry cache with one ref per branch. On by default wherever an image is pushed."""
