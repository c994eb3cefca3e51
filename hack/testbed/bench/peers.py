"""Other ways to build, each as one pod on the same node: the same Dockerfile, git server, registry and base image.

By hand: BuildKit's own `buildctl-daemonless.sh` in our builder image, with the same arguments for buildctl and the same
rights. buildah and Docker-in-Docker: Debian's packages in a privileged pod, with the cache that each has for this.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from imagebuild.api.config import Builder, OperatorConfig
from imagebuild.contract import plan
from imagebuild.core.seccomp import PROFILE
from imagebuild.runner.cacherefs import CacheRefs
from imagebuild.runner.command import Inputs, buildctl
from localcluster import debian, gobuild, oci, pins, places
from localcluster.images import LOCAL
from localcluster.standins import PATH
from localcluster.work import step
from testbed.kubectl import Document, Kubectl

SCRIPT = "buildctl-daemonless.sh"
_STATE = "/home/user/.local/share/buildkit"
_CONFIG = "/home/user/.config/buildkit"
_VOLUME = "/source"
_SOURCE = f"{_VOLUME}/app"
_OVER = "echo over\n"
"""The last line of each log, once all is done."""
_OURS = ("--addr=", "--trace=", "--metadata-file=")
_RESOURCES = OperatorConfig(builder=Builder(image="any")).pod.resources.model_dump(exclude_none=True)
"""Those that the operator gives where nobody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be built, and where the image and what is kept for the next build go."""

    url: str
    branch: str
    image: str
    """Its repository; the branch is the tag."""

    @property
    def name(self) -> str:
        return f"{self.image}:{self.branch}"

    @property
    def lines(self) -> tuple[str, ...]:
        """The branches whose cache is of use: the base's, and its own."""
        return tuple(dict.fromkeys(("main", self.branch)))


def by_hand(kubectl: Kubectl, name: str, order: Order) -> Document:
    """`kubectl`: of a namespace with what `for_pods_by_hand` gives."""
    container = {
        "image": kubectl.place.builder_image,
        "env": [
            {"name": "BUILDKITD_FLAGS", "value": "--oci-worker-no-process-sandbox --oci-worker-snapshotter=overlayfs"},
            {"name": "BUILDCTL_CONNECT_RETRIES_MAX", "value": "50"},
        ],
        "securityContext": {
            "capabilities": {"drop": ["ALL"], "add": ["SETUID", "SETGID"]},
            "seccompProfile": {"type": "Localhost", "localhostProfile": PROFILE},
        },
    }
    mounts: dict[str, Document] = {
        _STATE: {"emptyDir": {}},
        _VOLUME: {"emptyDir": {}},
        _CONFIG: {"configMap": {"name": "buildkitd"}},
        "/program": {"configMap": {"name": "daemonless", "defaultMode": 0o555}},
    }
    spec = {"securityContext": {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000}}
    return _pod(name, f"set -eu\n{_clone(order)}\n{shlex.join(arguments(order))}\n{_OVER}", container, mounts, spec)


def arguments(order: Order) -> list[str]:
    """Those of the runner, whose files for its own use are left out."""
    asked = plan.Plan(cache=plan.BranchCache(repository=order.image, scope=""))
    source, ref = Path(_SOURCE), f"{order.image}:cache"
    inputs = Inputs(address="", context=source, dockerfile=source, filename="Dockerfile", trace=Path(), metadata=Path())
    cache = CacheRefs(imports=tuple(f"{ref}-{line}" for line in order.lines), export=f"{ref}-{order.branch}")
    _, *words = buildctl(asked, inputs, (order.name,), cache)
    return [f"/program/{SCRIPT}", *(word for word in words if not word.startswith(_OURS))]


def for_pods_by_hand(place_registry: str) -> list[Document]:
    """ConfigMaps: buildkitd's configuration, and the script out of BuildKit's source."""
    versions = pins.load()
    source = gobuild.module_directory(versions, places.find().cache, versions.programs["buildctl"])
    script = (source / "examples" / "buildctl-daemonless" / SCRIPT).read_text()
    return [
        _config_map("buildkitd", {"buildkitd.toml": f'[registry."{place_registry}"]\n  http = true\n'}),
        _config_map("daemonless", {SCRIPT: script}),
    ]


def _config_map(name: str, data: Mapping[str, str]) -> Document:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(data)}


def buildah(kubectl: Kubectl, name: str, order: Order) -> Document:
    """Its cache is a repository that every layer is pushed to."""
    plain, cache = "--tls-verify=false", f"{order.image}-cache"
    build = (
        *("buildah", "build", "--isolation=chroot", "--layers", "--jobs=0", plain),
        *("--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096"),  # more than it may set where it asks for its own
        *(f"--cache-from={cache}", f"--cache-to={cache}", f"--tag={order.name}", _SOURCE),
    )
    script = f"set -eu\n{_clone(order)}\n{shlex.join(build)}\nbuildah push {plain} {order.name}\n{_OVER}"
    return _privileged(kubectl, name, script, "/var/lib/containers")


def docker(kubectl: Kubectl, name: str, order: Order) -> Document:
    """With the cache that `docker build` can push by itself: inside the image, of its last stage."""
    build = (
        *("docker", "build", "--network=host", "--cache-to=type=inline"),
        *(f"--cache-from={order.image}:{line}" for line in order.lines),
        *(f"--tag={order.name}", _SOURCE),
    )
    script = f"""set -eu
dockerd --bridge=none --iptables=false --ip6tables=false --insecure-registry={kubectl.place.registry} >/tmp/log 2>&1 &
{_clone(order)}
tries=0
until docker info >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ $tries -gt 300 ]; then cat /tmp/log; exit 1; fi
    sleep 0.1
done
{shlex.join(build)}
docker push --quiet {order.name}
{_OVER}"""
    return _privileged(kubectl, name, script, "/var/lib/docker")


def image(registry: str) -> str:
    """With both of them; made here of Debian's packages and pushed, where the registry does not have it yet."""
    versions, cache = pins.load(), places.find().cache
    repository, tag = "imagebuild/peers", pins.digest([versions.suite, versions.packages("peers")])
    if not oci.resolve(LOCAL, repository, tag):
        layout = cache / "standins" / f"peers-{tag}"
        if not layout.exists():
            root = debian.root(versions, cache, "peers")
            with step("packing buildah and Docker into an image"):
                oci.make(root, layout, {"Env": [PATH]}, level=1)
        oci.push(layout, LOCAL, repository, tag)
    return f"{registry}/{repository}:{tag}"


Peer = Callable[[Kubectl, str, Order], Document]


def packages() -> dict[str, str]:
    """Versions of what is in that image."""
    status = (debian.root(pins.load(), places.find().cache, "peers") / "var/lib/dpkg/status").read_text()
    found = re.findall(r"^Package: (buildah|docker\.io)$(?:\n.+)*?\nVersion: (\S+)$", status, re.MULTILINE)
    return dict(found)


def _clone(order: Order) -> str:
    return shlex.join(("git", "clone", "--quiet", "--depth=1", f"--branch={order.branch}", order.url, _SOURCE))


def _privileged(kubectl: Kubectl, name: str, script: str, state: str) -> Document:
    container = {"image": image(kubectl.place.registry), "securityContext": {"privileged": True}}
    return _pod(name, script, container, {state: {"emptyDir": {}}, _VOLUME: {"emptyDir": {}}}, {})


def _pod(name: str, script: str, container: Document, mounts: Mapping[str, Document], spec: Document) -> Document:
    volumes = {f"volume-{number}": each for number, each in enumerate(mounts.items())}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            **spec,
            "containers": [
                {
                    "name": "build",
                    "command": ["sh", "-c", script],
                    "resources": _RESOURCES,
                    "volumeMounts": [{"name": volume, "mountPath": path} for volume, (path, _) in volumes.items()],
                    **container,
                }
            ],
            "volumes": [{"name": volume, **source} for volume, (_, source) in volumes.items()],
        },
    }
