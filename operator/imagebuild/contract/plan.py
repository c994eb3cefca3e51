"""The plan: what the operator asks of a build pod.

The operator writes it as JSON into the pod's annotation, a downwardAPI volume shows it to the runner. It holds no
secret, only the places where Secrets are mounted. What only the pod can know (the commit, the branch, which cache refs
exist) is left open here and completed by the runner.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

from imagebuild.contract.archive import Archive
from imagebuild.contract.codec import DecodeError, decode, encode
from imagebuild.contract.mounts import Mount, RegistrySecret, SecretKey
from imagebuild.contract.spans import Tracing

__all__ = [
    "INPUTS_ANNOTATION",
    "LIMIT",
    "Archive",
    "BranchCache",
    "CacheExport",
    "CacheImport",
    "CacheImports",
    "Context",
    "Dockerfile",
    "GitSource",
    "HttpSource",
    "IfExists",
    "Mount",
    "OciSource",
    "Output",
    "Plan",
    "PlanTooLargeError",
    "Proxy",
    "Registry",
    "RegistrySecret",
    "SecretKey",
    "dump",
    "parse",
]

LIMIT = 128 * 1024
"""Bytes. All annotations of an object together may take 256 KiB; half of that is left to others."""
INPUTS_ANNOTATION = "imagebuild.dev/inputs"
"""Of manifests that are pushed with `ifExists: Reuse` or `Fail`: what they were built from. The next build with Reuse
looks for it, and the next attempt of a run with Fail.

Of no others: it would give an image a new digest at every commit, also where nothing of what it is made from changed.
"""


class PlanTooLargeError(ValueError):
    """The plan does not fit into an annotation."""


class CacheImport(StrEnum):
    CURRENT_ELSE_BASE = "CurrentElseBase"
    BOTH = "Both"
    CURRENT = "Current"
    NONE = "None"


class CacheExport(StrEnum):
    ALWAYS = "Always"
    BASE_ONLY = "BaseOnly"
    NEVER = "Never"


class IfExists(StrEnum):
    OVERWRITE = "Overwrite"
    REUSE = "Reuse"
    FAIL = "Fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSource:
    """A commit of a git repository. Neither ref nor commit: the tip of the remote's HEAD."""

    url: str
    branch: str | None = None
    """Short name. Names the cache too, also where `commit` says what is built."""
    ref: str | None = None
    """A full ref such as refs/tags/v1 or refs/pull/7/head, instead of a branch."""
    commit: str | None = None
    """Full object id; what is built, whatever the branch points to."""
    pinned: bool = False
    """The commit is not the user's: an earlier attempt of the same run reported it."""
    secret: Mount | None = None
    """Credentials for the host of the URL."""
    submodules: bool = False
    keep_git_dir: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSource:
    """A tar archive, compressed or not."""

    url: str
    checksum: str | None = None
    """`sha256:…` of the archive."""
    secret: Mount | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OciSource:
    """An artifact, or the files of an image; with the credentials of registry_secrets."""

    image: str
    """By tag, or by digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One that COPY --from and FROM know by name. No source of its own: a directory of the build's."""

    name: str
    path: str = "."
    git: GitSource | None = None
    http: HttpSource | None = None
    oci: OciSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    path: str = "Dockerfile"
    """Relative to the context directory."""
    inline: str | None = None
    frontend: str | None = None  # the image that reads it, whatever it says itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Images to push, with {commit}, {shortCommit} and {branch} still open. No images: build and keep nothing."""

    images: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    """Of BuildKit's image exporter. Both: key=value each, with any characters, placeholders open as in images."""
    commit_time: bool = False
    """SOURCE_DATE_EPOCH is the time of the commit that is built."""
    time: str | None = None
    """What SOURCE_DATE_EPOCH is otherwise, where it is set."""
    if_exists: IfExists = IfExists.OVERWRITE
    retried: bool = False
    """An earlier attempt of the same run may have pushed some of the images: what it has made is no stranger's."""
    inputs: str = ""
    """Hash of the build inputs. With the commit it makes the annotation by which an image is known again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchCache:
    """The registry cache with one ref per branch: `<repository>:buildcache-<slug of the branch>-<hash>`."""

    repository: str
    scope: str
    """What beside the branch makes the hash in the ref, so that two builds never share a ref by name."""
    base: str | None = None
    """The branch whose cache a new branch starts from; None: the branch of the remote's HEAD."""
    compression: str = "zstd"
    """Of the layers in it: those of the image where that asks for one, since a layer that comes from the cache goes
    into the image as it is. zstd takes a quarter of gzip's time."""
    imports: CacheImport = CacheImport.CURRENT_ELSE_BASE
    export: CacheExport = CacheExport.ALWAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheImports:
    """Caches to read beside the branch's."""

    refs: tuple[str, ...] = ()
    """In registries; only those that are there are imported."""
    others: tuple[str, ...] = ()
    """As buildctl's --import-cache takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """How BuildKit and the runner reach one registry host (`host` or `host:port`)."""

    host: str
    http: bool = False
    """Plain HTTP instead of TLS."""
    insecure: bool = False
    """TLS without verification."""
    mirrors: tuple[str, ...] = ()
    """Asked first, in order: `host[:port][/path]`."""
    client_certificate: Mount | None = None  # with the keys tls.crt and tls.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """The proxies behind which the outside is, as host:port each; None: directly."""

    http: str | None = None
    https: str | None = None
    direct: tuple[str, ...] = ()
    """Hosts, suffixes, addresses and networks that are reached without them."""
    secret: Mount | None = None
    """User name and password for both."""
    offer_to_run: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    git: GitSource | None = None
    http: HttpSource | None = None
    oci: OciSource | None = None
    volume: Mount | None = None
    """A claim, read where it is mounted."""
    directory: Mount | None = None
    """A mounted ConfigMap. No source at all: an empty context."""
    path: str = "."
    """The context: a directory inside the source."""
    contexts: tuple[Context, ...] = ()
    dockerfile: Dockerfile = Dockerfile()
    args: tuple[str, ...] = ()
    """Arguments of `buildctl build`, passed on as they are and never through a shell."""
    platform: str | None = None
    """That all images the Dockerfile starts from must be of: os/architecture[/variant]."""
    output: Output = Output()
    cache: BranchCache | None = None
    cache_imports: CacheImports = CacheImports()
    cache_exports: tuple[str, ...] = ()
    """Refs in registries that `args` say are written; credentials must cover them."""
    claims: tuple[Mount, ...] = ()
    """Volumes of claims that the build writes to."""
    cache_volume: Mount | None = None
    """The claim on which BuildKit keeps its state from build to build. None: in the pod."""
    s3_credentials: Mount | None = None
    """With the key `credentials`, a file as Amazon's tools read it."""
    registry_secrets: tuple[RegistrySecret, ...] = ()
    service_account: str = ""
    """The one that the user names for its identity in a cloud."""
    secret_keys: tuple[SecretKey, ...] = ()
    """What must be there before BuildKit is asked; `args` say what each is for."""
    registries: tuple[Registry, ...] = ()
    archive: Archive | None = None
    """Where the log and a record go at the end. None: nowhere."""
    proxy: Proxy | None = None
    frontends: tuple[str, ...] | None = None
    """Repositories of the frontend images that may read the Dockerfile; (): BuildKit's own alone does. None: any."""
    certificates: str = ""
    """PEM; trusted beside the image's own certificate authorities."""
    process_sandbox: bool = False
    """BuildKit gives each RUN step its own PID namespace and /proc; needs an unmasked /proc in the pod."""
    processes: int | None = None
    """That BuildKit and all steps may have at once, threads counted. None: no bound but the node's."""
    silence: float | None = None  # seconds without a word of BuildKit, until it is given up. None: never
    tracing: Tracing | None = None
    push_grace: float = 120.0
    """Seconds a cache export may take after the images are pushed, until the build counts as done without it."""

    @property
    def has_source(self) -> bool:
        return any((self.git, self.http, self.oci, self.volume, self.directory))


def dump(plan: Plan) -> str:
    """The plan as one line of JSON; the same plan always gives the same text. Raises PlanTooLargeError."""
    text = json.dumps(encode(plan), separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    if (size := len(text.encode())) > LIMIT:
        raise PlanTooLargeError(
            f"the build takes {size:,} bytes to describe and {LIMIT:,} fit; "
            "move large values of args or an inline Dockerfile into the source"
        )
    return text


def parse(text: str) -> Plan:
    """Raises DecodeError, also for text that is not JSON."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise DecodeError("", f"is not JSON ({error})") from error
    return decode(Plan, document)
