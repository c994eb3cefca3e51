"""`spec.contexts`: further directories and images that a Dockerfile can name."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict

from imagebuild.api.model import Model, RelativePath, rules, text
from imagebuild.api.source import GitSource, HttpSource, OciSource, PulledImage

_KINDS = "[has(self.image), has(self.git), has(self.http), has(self.oci)].filter(given, given).size()"


class Context(Model):
    """What `COPY --from=NAME` and `FROM NAME` mean in the Dockerfile. An image of that name is replaced by it."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (f"{_KINDS} == 1 || ({_KINDS} == 0 && has(self.path))", "give one of image, git, http and oci, or a path"),
            ("!(has(self.image) && has(self.path))", "an image has no path: name the directory in the COPY line"),
        )
    )

    name: Annotated[
        str,
        text(
            128,
            (
                "self.matches('^[a-z0-9][a-z0-9._/-]*(:[a-zA-Z0-9._-]+)?$') && self != 'scratch'",
                "must be a word of lower-case letters, digits, '.', '_' and '-', or an image as in the Dockerfile",
            ),
        ),
    ]
    """As the Dockerfile says it."""
    path: RelativePath | None = None
    """A directory: of git, http or oci where one is given, else of the build's own source, at the same commit."""
    image: PulledImage | None = None
    """An image, by tag or digest."""
    git: GitSource | None = None
    """A commit of another git repository."""
    http: HttpSource | None = None
    """A tar archive behind a URL."""
    oci: OciSource | None = None
    """An artifact, or the files of an image."""
