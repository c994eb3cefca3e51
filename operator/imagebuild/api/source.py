"""`spec.source`: where the build context comes from."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict

from imagebuild.api.model import GitRefName, Model, ObjectName, RelativePath, SecretReference, rules, text

_HTTP = r"https?://[^/@\\s]+/[^\\s]*"
_HOST = r"[a-zA-Z0-9][a-zA-Z0-9.-]*"
_USER = r"[a-zA-Z0-9_][a-zA-Z0-9_.-]*@"
_SSH = rf"ssh://({_USER})?{_HOST}(:[0-9]+)?/[^\\s]+"
_SCP = rf"{_USER}{_HOST}:[^-\\s][^\\s]*"


class GitSource(Model):
    """A commit of a git repository. Without branch, tag, ref and commit: the tip of the remote's default branch."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "[has(self.branch), has(self.tag), has(self.ref)].filter(given, given).size() <= 1",
                "give one of branch, tag and ref",
            ),
            (
                "self.url.startsWith('http') || has(self.secretRef)",
                "git over ssh needs secretRef: a Secret with ssh-privatekey and known_hosts",
            ),
        )
    )

    url: Annotated[
        str,
        text(
            2048,
            (
                f"self.matches('^({_HTTP}|{_SSH}|{_SCP})$')",
                "must be https://host/path (or http) without name and password, ssh://git@host/path or git@host:path",
            ),
        ),
    ]
    """Of the repository. It is fetched outside of BuildKit, so no RUN step ever sees how."""
    secret_ref: SecretReference | None = None
    """Credentials of the git server. Keys: `username` and `password` (the type kubernetes.io/basic-auth), or `token`
    alone, or `ssh-privatekey` (kubernetes.io/ssh-auth) with `known_hosts`, without which no server is trusted."""
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
    submodules: bool | None = None
    """Fetch them, too, and theirs. The credentials are for the host of `url` alone. Default: false."""
    keep_git_dir: bool | None = None
    """Leave .git in the build context, with this one commit in it. Default: false, since it ends most caching."""


class HttpSource(Model):
    """A tar archive behind a URL: plain, or compressed by gzip, bzip2, xz or zstd."""

    url: Annotated[
        str,
        text(2048, (f"self.matches('^{_HTTP}$')", "must be https://host/path (or http) without name and password")),
    ]
    """Of the archive. Where all of it lies in one directory, `path` names that."""
    checksum: Annotated[
        str | None,
        text(71, ("self.matches('^sha256:[0-9a-f]{64}$')", "must be sha256: and 64 hex digits")),
    ] = None
    """Of the archive, as sha256:…. Anything else is not built."""
    secret_ref: SecretReference | None = None
    """Credentials. Keys: `username` and `password`, or `token`, which is sent as a Bearer token."""


_PULLED = (
    "self.matches('^[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    "(:[a-zA-Z0-9_][a-zA-Z0-9_.-]*)?(@sha256:[0-9a-f]{64})?$')"
)
PulledImage = Annotated[str, text(512, (_PULLED, "must be registry/repository:tag, or registry/repository@sha256:…"))]


class OciSource(Model):
    """An artifact, as `oras push` and `flux push artifact` make it, or the files of an image."""

    image: PulledImage
    """By tag or digest. Credentials come from registrySecrets."""


class VolumeSource(Model):
    """A claim in the same namespace, read-only."""

    claim_name: ObjectName
    """It may appear later: the build waits for it. Files must be readable for uid or gid 1000."""


class ConfigMapSource(Model):
    """The keys of a ConfigMap in the same namespace, each as a file."""

    name: ObjectName
    """Of the ConfigMap. It may appear later: the build waits for it."""


_KINDS = "has(self.git), has(self.http), has(self.oci), has(self.configMap), has(self.volume)"


class Source(Model):
    """Where the build context comes from. Nothing given: an empty context."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                f"[{_KINDS}].filter(given, given).size() <= 1",
                "give one source: git, http, oci, configMap or volume",
            )
        )
    )

    git: GitSource | None = None
    """A commit of a git repository. Without branch, tag, ref and commit: the tip of the remote's default branch."""
    http: HttpSource | None = None
    """A tar archive behind a URL: plain, or compressed by gzip, bzip2, xz or zstd."""
    oci: OciSource | None = None
    """An artifact, as `oras push` and `flux push artifact` make it, or the files of an image."""
    volume: VolumeSource | None = None
    """A claim in the same namespace, read-only."""
    config_map: ConfigMapSource | None = None
    """The keys of a ConfigMap in the same namespace, each as a file."""
    path: RelativePath | None = None
    """The directory inside the source that is the build context. Default: all of it."""
