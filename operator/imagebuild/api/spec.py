"""`ImageBuild.spec`: what a user asks for.

`source`, `dockerfile`, `args` and `output` are the build inputs: a change of them starts a new run. Every other field
applies to the next attempt and never rebuilds (core/run.py). No field has a default in the schema, so that what is in
git and what is in the cluster stay equal; the defaults are in the descriptions and in core/.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from imagebuild.api.model import Duration, Model, ObjectName, Quantity, RelativePath, rules, text
from imagebuild.contract.plan import CacheExport, CacheImport, IfExists

INPUTS = ("source", "dockerfile", "args", "output")
"""The fields of the spec that are build inputs; `kubectl explain` says the same in each one's description."""
NEUTRAL = {"output": ("ifExists",)}
"""Fields inside of those that are no inputs: they say what to do with an image, not what is in it."""

_REF_NAME = r"self.matches('^[^-\\s~^:?*\\[\\\\@{}][^\\s~^:?*\\[\\\\@{}]*$') && !self.contains('..')"
_IMAGE = (
    "self.matches('^[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    "(:([a-zA-Z0-9_]|[{][a-zA-Z]+[}])([a-zA-Z0-9_.-]|[{][a-zA-Z]+[}])*)?$')"
)
_PLACEHOLDERS = (
    "self.replace('{commit}', '').replace('{shortCommit}', '').replace('{branch}', '').replace('{run}', '')"
    ".matches('^[^{}]*$')"
)

GitRefName = Annotated[str, text(255, (_REF_NAME, "must be a name that git accepts"))]
ImageRef = Annotated[
    str,
    text(
        512,
        (_IMAGE, "must be registry/repository:tag, with lower-case letters in the repository and without a digest"),
        (_PLACEHOLDERS, "may hold the placeholders {commit}, {shortCommit}, {branch} and {run}, and no others"),
    ),
]
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


class GitSource(Model):
    """A commit of a git repository. Without branch, tag, ref and commit: the tip of the remote's default branch."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "[has(self.branch), has(self.tag), has(self.ref)].filter(given, given).size() <= 1",
                "give one of branch, tag and ref",
            )
        )
    )

    url: Annotated[
        str,
        text(
            2048,
            (
                r"self.matches('^https?://[^/@\\s]+/[^\\s]*$')",
                "must be https://host/path (or http://), without user name and password",
            ),
        ),
    ]
    """Of the repository. It is fetched outside of BuildKit, so no RUN step ever sees how."""
    branch: GitRefName | None = None
    """Its tip is built, and it names the cache."""
    tag: GitRefName | None = None
    """What it points to is built. Such a build reads the base branch's cache and writes none."""
    ref: GitRefName | None = None
    """A full ref, such as refs/pull/7/head."""
    commit: Annotated[
        str | None,
        text(64, ("self.matches('^([0-9a-f]{40}|[0-9a-f]{64})$')", "must be the full id: 40 or 64 hex digits")),
    ] = None
    """Says what is built, whatever the branch points to."""


class ConfigMapSource(Model):
    """The keys of a ConfigMap in the same namespace, each as a file."""

    name: ObjectName
    """Of the ConfigMap. It may appear later: the build waits for it."""


class Source(Model):
    """Where the build context comes from. Nothing given: an empty context."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("!(has(self.git) && has(self.configMap))", "give one source: git or configMap, not both")
        )
    )

    git: GitSource | None = None
    """A commit of a git repository. Without branch, tag, ref and commit: the tip of the remote's default branch."""
    config_map: ConfigMapSource | None = None
    """The keys of a ConfigMap in the same namespace, each as a file."""
    path: RelativePath | None = None
    """The directory inside the source that is the build context. Default: all of it."""


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


class SecretReference(Model):
    name: ObjectName
    """Of the Secret. It may appear later: the build waits for it."""


class Resources(Model):
    requests: Annotated[dict[str, Quantity] | None, Field(max_length=8)] = None
    """What the node sets aside: cpu, memory, ephemeral-storage. Default, where there is a limit: the limit."""
    limits: Annotated[dict[str, Quantity] | None, Field(max_length=8)] = None
    """What the build may use at most."""


class PodSettings(Model):
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]] | None, Field(max_length=16)] = None
    """Labels that the node of the build must have."""
    resources: Resources | None = None
    """Of the build container; what is not given comes from the operator's configuration."""


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
    source: Source | None = None
    """Build input: a change starts a new run."""
    dockerfile: Dockerfile | None = None
    """Build input: a change starts a new run."""
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
    output: Output
    """Build input: a change starts a new run."""
    cache: Cache | None = None
    """What is read from earlier builds and left for later ones."""
    registry_secrets: Annotated[tuple[SecretReference, ...] | None, Field(max_length=16)] = None
    """Secrets of type kubernetes.io/dockerconfigjson, merged in this order; the last one wins for a registry."""
    pod: PodSettings | None = None
    """Of the pod that builds."""
    timeouts: Timeouts | None = None
    """How long a build may wait and take."""
    retry_limit: Annotated[int | None, Field(ge=0, le=10)] = None
    """How often a run is tried again after a fault of the infrastructure. Default: the operator's, 3."""
    ttl_after_finished: Duration | None = None
    """Delete this ImageBuild so long after its run has ended. One that Argo CD or Flux keeps is never deleted: they
    would create it again. Default: never."""
    suspend: bool | None = None
    """Start nothing, and stop what runs, until it is false again. A run that was stopped starts over then."""
    concurrency: Concurrency | None = None
    """Builds that must not run side by side."""
