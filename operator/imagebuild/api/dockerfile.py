"""`spec.dockerfile`: what BuildKit is to read."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from imagebuild.api.model import Model, RelativePath, rules, text
from imagebuild.api.source import PulledImage


class Dockerfile(Model):
    model_config = ConfigDict(
        json_schema_extra=rules(("!(has(self.path) && has(self.inline))", "give path or inline, not both"))
    )

    path: RelativePath | None = None
    """Relative to source.path. Default: Dockerfile."""
    inline: Annotated[str | None, Field(min_length=1, max_length=65536)] = None
    """The Dockerfile itself."""
    target: Annotated[
        str | None, text(128, ("self.matches('^[a-zA-Z][a-zA-Z0-9_.-]*$')", "must be the name of a stage"))
    ] = None
    """The stage to build. Default: the last one."""
    frontend: PulledImage | None = None
    """The image that reads the Dockerfile, such as docker/dockerfile:1, as far as the administrator allows it; a
    syntax= line and the argument BUILDKIT_SYNTAX count for nothing then. Default: what the syntax= line names, else
    BuildKit's own."""
