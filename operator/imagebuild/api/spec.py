"""`ImageBuild.spec`: what a user asks for.

`INPUTS` are the build inputs: a change of them starts a new run. Every other field
applies to the next attempt and never rebuilds (core/run.py). No field has a default in the schema, so that what is in
git and what is in the cluster stay equal; the defaults are in the descriptions and in core/.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from imagebuild.api.archive import Archive
from imagebuild.api.cache import Cache
from imagebuild.api.context import Context
from imagebuild.api.dockerfile import Dockerfile
from imagebuild.api.model import Duration, Model, rules, text
from imagebuild.api.output import Output
from imagebuild.api.pod import PodSettings
from imagebuild.api.registry import RegistrySecret
from imagebuild.api.secret import BuildSecret, SSHKey, by_id
from imagebuild.api.source import Source

INPUTS = ("source", "dockerfile", "contexts", "args", "secrets", "ssh", "platforms", "output")
"""The fields of the spec that are build inputs; `kubectl explain` says the same in each one's description."""
NEUTRAL = {"output": ("ifExists",)}
"""Fields inside of those that are no inputs: they say what to do with an image, not what is in it."""


_COMMIT_NEEDS_GIT = (
    "!has(self.output.sourceDateEpoch) || string(self.output.sourceDateEpoch) != 'Commit'"
    " || (has(self.source) && has(self.source.git))"
)


_FROM_GIT = "(has(self.source) && has(self.source.git))"
_OPEN = "(!{0}.contains('{{commit}}') && !{0}.contains('{{shortCommit}}') && !{0}.contains('{{branch}}'))"
_PLACEHOLDERS_NEED_GIT = (
    f"!has(self.output.images) || {_FROM_GIT} || self.output.images.all(image, {_OPEN.format('image')})"
)


def _values_need_git(field: str) -> str:
    every = f"{field}.all(key, {_OPEN.format(f'{field}[key]')})"
    return f"!has({field}) || {_FROM_GIT} || {every}"


Platform = Annotated[
    str,
    text(64, ("self.matches('^linux/[a-z0-9]+(/v[0-9]+)?$')", "must be linux/architecture, such as linux/arm64")),
]


class Timeouts(Model):
    queue: Duration | None = None
    """How long a run may wait for its turn. Default: the operator's, 24h."""
    start: Duration | None = None
    """How long a run that has its turn may wait for what is missing: a node, a Secret, quota. Default: the operator's,
    1h."""
    build: Duration | None = None
    """From the pod's start on its node. Default: the operator's, 1h."""
    silence: Duration | None = None
    """How long a build may go on without a word or any progress, as a RUN step does that hangs. Default: the
    operator's, which is no limit."""


class Policy(StrEnum):
    PARALLEL = "Parallel"
    SERIAL = "Serial"
    LATEST = "Latest"


class Concurrency(Model):
    """Builds of one group, such as those of one branch, and how they share it."""

    group: Annotated[str, text(128)]
    """Any word; builds of the same namespace with the same word are a group."""
    policy: Policy | None = None
    """Latest (the default): one at a time, and what a newer one has overtaken is not built any more. Serial: one at a
    time, all of them. Parallel: no rule."""
    order: Annotated[int | None, Field(ge=0, le=2**53)] = None
    """Which of two builds is the newer one, such as the number of a pipeline. Give it to all of a group or to none.
    Default: when their runs were queued."""
    cancel_running: bool | None = None
    """With Latest: stop an older build of the group that is under way, too, unless it has pushed already."""


class ImageBuildSpec(Model):
    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                _COMMIT_NEEDS_GIT,
                "output.sourceDateEpoch: Commit needs a source from git",
            ),
            (
                _PLACEHOLDERS_NEED_GIT,
                "output.images: {commit}, {shortCommit} and {branch} need a source from git; {run} does not",
            ),
            *(
                (
                    _values_need_git(f"self.output.{field}"),
                    f"output.{field}: {{commit}}, {{shortCommit}} and {{branch}} need a source from git",
                )
                for field in ("labels", "annotations")
            ),
        )
    )

    source: Source | None = None
    """Where the build context comes from. Default: it is empty. Build input: a change starts a new run."""
    dockerfile: Dockerfile | None = None
    """How the image is made. Build input: a change starts a new run."""
    contexts: Annotated[
        tuple[Context, ...] | None,
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = None
    """Further directories and images that the Dockerfile can name. Build input: a change starts a new run."""
    args: Annotated[
        dict[str, Annotated[str, Field(max_length=102400)]] | None,
        Field(
            max_length=128,
            json_schema_extra=rules(
                (
                    "self.all(key, key.matches('^[a-zA-Z_][a-zA-Z0-9_]{0,127}$'))",
                    "a name of an argument has letters, digits and '_'",
                )
            ),
        ),
    ] = None
    """Build arguments, passed on byte for byte. Build input: a change starts a new run."""
    secrets: Annotated[tuple[BuildSecret, ...] | None, by_id(32)] = None
    """Values that RUN --mount=type=secret reads and no image keeps. Another content of the Secrets rebuilds nothing.
    Build input: a change starts a new run."""
    ssh: Annotated[tuple[SSHKey, ...] | None, by_id(16)] = None
    """Private keys for RUN --mount=type=ssh. Another content of the Secrets rebuilds nothing.
    Build input: a change starts a new run."""
    platforms: Annotated[
        tuple[Platform, ...] | None,
        Field(
            min_length=1,
            max_length=16,
            json_schema_extra=rules(
                ("self.size() == 1", "give one platform: a build runs on one node, and several are not built yet")
            ),
        ),
    ] = None
    """What the image is for, such as linux/arm64; the build runs on a node of it. Default: that of any node.
    Build input: a change starts a new run."""
    output: Output
    """What becomes of the image. Build input: a change starts a new run."""
    cache: Cache | None = None
    """What is read from earlier builds and left for later ones."""
    registry_secrets: Annotated[tuple[RegistrySecret, ...] | None, Field(max_length=16)] = None
    """Secrets with credentials, merged: what fits closest the images pushed wins for a registry, else the last one."""
    trust: Literal["Untrusted"] | None = None
    """Untrusted: whoever wrote what is built is not trusted, as with a fork's pull request. The build gets no secrets,
    ssh and service account, writes no cache, and runs in the mode Userns or not at all. Default: what the administrator
    says of the namespace, which a spec lowers and never raises."""
    archive: Archive | None = None
    """The log and a record of the build, kept in a registry for when the pod is gone."""
    pod: PodSettings | None = None
    """Of the pod that builds."""
    timeouts: Timeouts | None = None
    """How long a build may wait and take."""
    retry_limit: Annotated[int | None, Field(ge=0, le=10)] = None
    """How often a run is tried again after a fault of the infrastructure. Default: the operator's, 3."""
    ttl_after_finished: Duration | None = None
    """Delete this ImageBuild so long after its run has ended. One that Argo CD, Flux or Helm keeps is never deleted:
    they would create it again. Default: never."""
    suspend: bool | None = None
    """Start nothing, and stop what runs, until it is false again. A run that was stopped starts over then."""
    concurrency: Concurrency | None = None
    """Builds that must not run side by side."""
