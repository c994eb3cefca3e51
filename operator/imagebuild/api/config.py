"""The operator's configuration: one YAML file, set by the administrator of the cluster."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from imagebuild.api.archive import ArchiveMode, ArchiveRepository
from imagebuild.api.model import Model, ObjectName, Quantity, SecretReference
from imagebuild.api.pod import Resources
from imagebuild.api.proxy import ProxyConfig
from imagebuild.api.timespan import TimeSpan
from imagebuild.api.tracing import TracingConfig
from imagebuild.api.trust import Trust


class Isolation(StrEnum):
    """How a build is kept from its node, strongest first. Set for the cluster, never lowered by itself."""

    USERNS = "Userns"
    """The pod has a user namespace (hostUsers: false); BuildKit gives each RUN step a PID namespace of its own."""
    USERNS_MASKED = "UsernsMasked"
    """The pod has a user namespace; RUN steps see each other's processes."""
    ROOTLESS = "Rootless"
    """The pod runs as an ordinary user of the node; RUN steps see each other's processes."""


class ConfigModel(Model):
    model_config = ConfigDict(extra="forbid")


class Builder(ConfigModel):
    image: str
    """The builder image, best by digest."""


class RegistryConfig(ConfigModel):
    host: str
    """host or host:port, as in image references."""
    http: bool = False
    """Plain HTTP instead of TLS."""
    insecure: bool = False
    """TLS without verification."""
    mirrors: tuple[str, ...] = ()
    """Asked first, in order: host[:port][/path]."""
    client_certificate: SecretReference | None = None
    """A Secret of type kubernetes.io/tls that each namespace has whose builds use this registry. A build that pushes
    there waits for it; one that never asks the registry does without."""


class Limits(ConfigModel):
    running: Annotated[int, Field(ge=1)] = 100
    """Build pods at once in the cluster."""
    running_per_namespace: Annotated[int, Field(ge=1)] = 20
    """Build pods at once in one namespace."""
    queued: Annotated[int, Field(ge=1)] = 20_000
    """Builds that wait for their turn in the cluster; one more ends with QueueFull."""
    queued_per_namespace: Annotated[int, Field(ge=1)] = 10_000
    """Builds that wait for their turn in one namespace."""


class Frontends(ConfigModel):
    allowed: tuple[str, ...] | None = None
    """Repositories, without tags, of the frontend images that dockerfile.frontend and the syntax= line of a Dockerfile
    may name, such as docker/dockerfile. BuildKit's own is always allowed. An empty list: no others; BuildKit's own
    reads every Dockerfile, and a syntax= line counts for nothing. Default: any."""


class Allow(ConfigModel):
    """What ImageBuilds may say, as patterns such as team-*; what is not listed is refused."""

    labels: tuple[str, ...] | None = None
    """key or key=value, such as kueue.x-k8s.io/queue-name=team-*. Default: none, since a label may join a Service."""
    annotations: tuple[str, ...] | None = None
    """key or key=value. Default: none, since an annotation may grant a role in a cloud."""
    service_accounts: tuple[str, ...] | None = None
    """Names. Default: none but the namespace's default one, which nobody has to name."""
    priority_classes: tuple[str, ...] | None = None
    """Names. Default: none."""
    runtime_classes: tuple[str, ...] | None = None
    """Names. Default: none."""
    node_selector: tuple[str, ...] | None = None
    """key or key=value. Default: any."""
    tolerations: tuple[str, ...] | None = None
    """Keys of taints; one of every taint takes the pattern *. Default: any."""
    affinity: bool | None = None
    """Whether pod.affinity may be given: it says in other words what nodeSelector does. Default: true."""
    secrets: tuple[str, ...] | None = None
    """Names, of all Secrets that an ImageBuild names anywhere. Default: any of its namespace."""
    registries: tuple[str, ...] | None = None
    """Repositories with their host, such as registry.example.com/team-a/* or docker.io/team-a/*, for images and for
    caches; * is also of slashes. Of other caches s3://BUCKET, or URL/BUCKET with an endpointURL, and
    accountURL/CONTAINER. What may be read it does not say. Default: any."""


class UntrustedBuilds(ConfigModel):
    runtime_class_name: str | None = None
    """Of the pods. The runtime must know user namespaces: status.runtimeHandlers of a node says so. Default: the usual
    one."""


class TimeLimits(ConfigModel):
    """As in timeouts, for the same waits."""

    queue: TimeSpan | None = None
    """For its turn."""
    start: TimeSpan | None = None
    """For what is missing."""
    build: TimeSpan | None = None
    """From the pod's start on its node."""
    silence: TimeSpan | None = None
    """Without a word or any progress."""


class Maxima(ConfigModel):
    """The most that an ImageBuild may ask for; one that asks for nothing gets no more than this either."""

    resources: Annotated[dict[str, Quantity], Field(default_factory=dict, max_length=8)]
    """Of requests and limits: cpu, memory, ephemeral-storage. It is also the limit where there would be none."""
    timeouts: TimeLimits = TimeLimits()
    """Of those in spec.timeouts. A limit that the ImageBuild does not give is lowered to it."""


class Defaults(ConfigModel):
    resources: Resources = Resources()
    """Over those of pod.resources, name by name."""
    timeouts: TimeLimits = TimeLimits()
    """Over those of timeouts."""


class PodDefaults(ConfigModel):
    resources: Resources = Resources(
        requests={"cpu": "250m", "memory": "512Mi", "ephemeral-storage": "2Gi"}, limits={"memory": "4Gi"}
    )
    """Of the build container."""
    processes: Annotated[int, Field(ge=256)] | None = 8192
    """Processes and threads that a build may have at once, in the modes Userns and UsernsMasked. null: as many as the
    node allows, which holds for Rootless in any case."""
    image_pull_secrets: tuple[str, ...] = ()
    """Secrets of the build's namespace with which the node pulls the builder image."""
    allow: Allow = Allow()
    """What ImageBuilds may say, as patterns such as team-*; what is not listed is refused."""


class TimeoutDefaults(ConfigModel):
    queue: TimeSpan = "24h"
    """How long a run may wait for its turn."""
    start: TimeSpan = "1h"
    """How long a run that has its turn may wait for what is missing."""
    build: TimeSpan = "1h"
    """From the pod's start on its node."""
    silence: TimeSpan | None = None
    """How long a build may go on without a word or any progress. Default: no limit."""
    slot: TimeSpan = "2m"
    """How long a pod that cannot start keeps its slot; after that it goes on waiting, and the next build may start."""


class Retention(ConfigModel):
    """Which pods stay after their build has ended, so that their logs can be read. The ImageBuilds themselves stay."""

    age: TimeSpan = "24h"
    """A pod that ended longer ago is deleted."""
    per_build: Annotated[int, Field(ge=0)] = 3
    """Pods of one ImageBuild, the newest ones."""
    per_namespace: Annotated[int, Field(ge=0)] = 200
    """Pods of all ImageBuilds of a namespace, the newest ones."""


class ClaimRules(ConfigModel):
    """Which claims the operator keeps for spec.cache.volume.template."""

    allowed: bool | None = None
    """Whether it keeps any. Default: false. It needs manifests/components/cache-volumes."""
    max_size: Quantity | None = None
    """The most that a template may ask for. Default: any size; quotas of the namespace count in any case."""
    storage_classes: tuple[str, ...] | None = None
    """Names, or patterns such as fast-*, that a template may say. Default: none, and it gets the cluster's default
    class."""


class CacheVolumes(ClaimRules):
    unused: TimeSpan | None = "336h"
    """A claim that no build has used for so long is deleted, and all that is on it. null: none is."""


class ArchiveSecret(ConfigModel):
    name: ObjectName
    """Of the Secret. Builds do not wait for it: where it is missing status.warnings says so."""


class ArchiveRules(ConfigModel):
    repository: ArchiveRepository | None = None
    """Where archives are pushed, without a tag: registry.example.com/build-logs/{namespace}. Default: nowhere."""
    secret: ArchiveSecret | None = None
    """With the login for it, as in registrySecrets, in each namespace with builds. ImageBuilds may not name it.
    Default: none, for a registry that asks for none."""
    mode: ArchiveMode | None = None
    """Never, OnRequest: builds that say so (spec.archive.enabled), or Always. Default: OnRequest."""


class NamespacePolicy(ConfigModel):
    match: str
    """A name or a pattern such as team-*. Of those that match a namespace, the one with most letters is in force."""
    isolation: Isolation | None = None
    """Instead of the mode for all namespaces."""
    trust: Trust | None = None
    """Instead of that for all namespaces."""
    untrusted: UntrustedBuilds = UntrustedBuilds()
    """Instead of that for all namespaces, key by key."""
    allow: Allow = Allow()
    """Instead of pod.allow; what is not given here is as there."""
    frontends: Frontends | None = None
    """Instead of those for all namespaces."""
    defaults: Defaults = Defaults()
    """Where the ImageBuild says nothing else, over those for all namespaces."""
    maxima: Maxima = Maxima()
    """Instead of those for all namespaces, name by name."""
    cache_volumes: ClaimRules = ClaimRules()
    """Instead of cacheVolumes, key by key."""
    proxy: ProxyConfig | None = None
    """Instead of the one for all namespaces; {} is none."""
    archive: ArchiveRules = ArchiveRules()
    """Instead of the one for all namespaces, key by key."""
    tracing: TracingConfig | None = None
    """Instead of that for all namespaces; {} is none."""


class OperatorConfig(ConfigModel):
    builder: Builder
    """What build pods run."""
    isolation: Isolation = Isolation.ROOTLESS
    """How builds are kept from their node, strongest first. Never lowered by itself."""
    trust: Trust = Trust.TRUSTED
    """How far whoever wrote what is built is trusted. An ImageBuild may lower it (spec.trust)."""
    untrusted: UntrustedBuilds = UntrustedBuilds()
    """Of builds that are Untrusted."""
    namespaces: tuple[NamespacePolicy, ...] = ()
    """What differs in some namespaces."""
    seccomp_profile: str | None = None
    """Path of the Localhost profile below the kubelet's seccomp directory. Default: the one this release ships."""
    seccomp_unconfined: bool = False
    """No seccomp filter, for clusters without the profile. Build pods then need Pod Security level privileged."""
    apparmor_profile: Annotated[str, Field(min_length=1)] | None = None
    """A profile that is loaded on the nodes, such as imagebuild-builder; nodes without AppArmor take no pod that names
    one. Default: where AppArmor is active the container engine's own, which forbids mounts."""
    registries: tuple[RegistryConfig, ...] = ()
    """Those that are not reached as usual, or that have mirrors."""
    certificate_authorities: str = ""
    """PEM. Build pods trust these beside the public ones, for registries and their token servers, git servers and
    archives. RUN steps may mount all of them as the secret imagebuild-ca."""
    proxy: ProxyConfig = ProxyConfig()
    """An HTTP proxy that build pods go through: for git, archives, registries and their token servers."""
    sbom_scanner: str | None = None
    """The image that makes the document for output.sbom, such as docker/buildkit-syft-scanner:stable-1. Any that keeps
    BuildKit's protocol for it. Default: none, and output.sbom is refused."""
    frontends: Frontends = Frontends()
    """Programs that read Dockerfiles instead of BuildKit's own."""
    limits: Limits = Limits()
    """How many builds run at once; the others wait for their turn, fairly between namespaces."""
    pod: PodDefaults = PodDefaults()
    """Of build pods, where the ImageBuild says nothing else."""
    timeouts: TimeoutDefaults = TimeoutDefaults()
    """Where the ImageBuild says nothing else."""
    maxima: Maxima = Maxima()
    """The most that an ImageBuild may ask for; one that asks for nothing gets no more than this either."""
    retry_limit: Annotated[int, Field(ge=0, le=10)] = 3
    """Attempts after the first one that a fault of the infrastructure is given."""
    retention: Retention = Retention()
    """How long pods of finished builds stay."""
    cache_volumes: CacheVolumes = CacheVolumes()
    """Claims that the operator keeps for spec.cache.volume.template."""
    archive: ArchiveRules = ArchiveRules()
    """Logs and records of builds, kept in a registry for when their pods are gone: see docs/howto/logs.md."""
    tracing: TracingConfig = TracingConfig()
    """Traces of builds, for OpenTelemetry: see docs/howto/traces.md."""
    hold: bool = False
    """Start no builds. What runs goes on. For clusters that were restored: see docs/operations.md."""
