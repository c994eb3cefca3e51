"""`spec.output`: where the image goes."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from imagebuild.api.model import Model, rules, text
from imagebuild.contract.plan import IfExists

_IMAGE = (
    "self.matches('^[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    "(:([a-zA-Z0-9_]|[{][a-zA-Z]+[}])([a-zA-Z0-9_.-]|[{][a-zA-Z]+[}])*)?$')"
)
_PLACEHOLDERS = (
    "self.replace('{commit}', '').replace('{shortCommit}', '').replace('{branch}', '').replace('{run}', '')"
    ".matches('^[^{}]*$')"
)

ImageRef = Annotated[
    str,
    text(
        512,
        (_IMAGE, "must be registry/repository:tag, with lower-case letters in the repository and without a digest"),
        (_PLACEHOLDERS, "may hold the placeholders {commit}, {shortCommit}, {branch} and {run}, and no others"),
    ),
]


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
    """References to push. Placeholders: {commit}, {shortCommit} (12 digits), {branch} (as a tag may be) and {run}."""
    discard: bool | None = None
    """Build and keep nothing."""
    if_exists: IfExists | None = None
    """What to do where the images exist already. Overwrite (the default): build and push. Reuse: build nothing if all
    of them were built from the same inputs and commit. Fail: build nothing, and fail, if one of them exists."""
