"""The kind cluster: made, looked at, removed. Used by cli.py."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localcluster import gobuild, nodeimage
from localcluster.engine import Engine, may_administer
from localcluster.leftovers import processes, terminate
from localcluster.pins import Pins, digest
from localcluster.places import BRIDGE, CLUSTER, NETWORK, NODE, OPEN, Places, write
from localcluster.work import Failure, attempt, run, say, step, wait_for

SERVICE = "10.96.0.10"  # kube-dns, which kubeadm always puts there
DNS_PORT = 53
HOSTING = f"""\
apiVersion: v1
kind: ConfigMap
metadata: {{name: local-registry-hosting, namespace: kube-public}}
data:
  localRegistryHosting.v1: |
    host: "{OPEN}"
    hostFromContainerRuntime: "{OPEN}"
    hostFromClusterNetwork: "{OPEN}"
    help: "https://kind.sigs.k8s.io/docs/user/local-registry/"
"""


@dataclass(frozen=True)
class NodeImage:
    name: str
    closed: bool  # public images cannot be pulled here: this one is ours, and others need stand-ins


def node_image(pins: Pins, places: Places, engine: Engine) -> NodeImage:
    """kindest/node where the engine has it or can pull it, else ours."""
    if engine.succeeds("image", "inspect", pins.node_image):
        return NodeImage(pins.node_image, closed=False)
    ours = nodeimage.reference(pins)
    if engine.succeeds("image", "inspect", ours):
        return NodeImage(ours, closed=True)
    with step(f"pulling {pins.node_image}"):
        if engine.succeeds("pull", "--quiet", pins.node_image, timeout=900):
            return NodeImage(pins.node_image, closed=False)
    if not may_administer():
        raise Failure(f"no node image: {pins.node_image} cannot be pulled", "the engine has no way to docker.io",
                      "load it into the engine, or run this as root on Debian, where one can be made", 2)  # fmt: skip
    say("it cannot be pulled: a node image is made of Go modules and Debian packages (once; half an hour when cold)")
    return NodeImage(nodeimage.ensure(pins, places.cache, engine), closed=True)


def configuration(*, closed: bool) -> str:
    """Builds fill disks, which must not evict them too early; our node image brings its own CNI configuration."""
    return f"""\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
networking:
  disableDefaultCNI: {str(closed).lower()}
nodes:
- role: control-plane
kubeadmConfigPatches:
- |
  kind: KubeletConfiguration
  evictionHard:
    nodefs.available: "1%"
    imagefs.available: "1%"
    memory.available: 50Mi
  imageGCHighThresholdPercent: 100
  imageGCLowThresholdPercent: 99
"""


def program(pins: Pins, cache: Path) -> str:
    """`kind` of the pinned version: what is inside a node image is between the two of them."""
    wanted = pins.programs["kind"].version
    on_path = shutil.which("kind")
    if on_path and wanted in attempt(on_path, "version").stdout.decode().split():
        return on_path
    return str(gobuild.binary(pins, cache, "kind"))


def network(engine: Engine) -> None:
    """Before the registries and the cluster, which both join it. With an engine of ours the bridge has our name."""
    if engine.succeeds("network", "inspect", NETWORK):
        return
    named = ("--opt", f"com.docker.network.bridge.name={BRIDGE}") if engine.ours else ()
    masquerade = ("--opt", "com.docker.network.bridge.enable_ip_masquerade=true")
    engine.docker("network", "create", "--driver", "bridge", *masquerade, *named, NETWORK)


def key(image: NodeImage) -> str:
    return digest([image.name, configuration(closed=image.closed)])


def ensure(pins: Pins, places: Places, engine: Engine, image: NodeImage) -> None:
    """A cluster that was finished, runs and is of this image stays; anything else is made anew."""
    marker = places.state / "cluster.json"
    made = json.loads(marker.read_text()) if marker.exists() else {}
    if made.get("key") == key(image) and serves(places, engine):
        return
    delete(pins, places, engine)
    binary = program(pins, places.cache)
    with step(f"making the cluster {CLUSTER} from {image.name.partition('@')[0]}"):
        run(
            *(binary, "create", "cluster", "--name", CLUSTER, "--image", image.name, "--config", "-"),
            *("--kubeconfig", places.kubeconfig, "--wait", "120s", "--quiet"),
            stdin=configuration(closed=image.closed),
            env=engine.env,
            timeout=400,
            next_step="hack/cluster up tries again from the start; docker logs " + NODE,
        )
    write(marker, json.dumps({"key": key(image), "created": time.time()}))


def delete(pins: Pins, places: Places, engine: Engine) -> None:
    marker = places.state / "cluster.json"
    marker.unlink(missing_ok=True)
    # One whose parent was killed would go on in the new node, which has the same name.
    terminate(processes(("kind",), places.kubeconfig), 0)
    if engine.succeeds("container", "inspect", NODE):
        removal = (program(pins, places.cache), "delete", "cluster", "--name", CLUSTER)
        run(*removal, "--kubeconfig", places.kubeconfig, env=engine.env)


def serves(places: Places, engine: Engine) -> bool:
    running = attempt("docker", "inspect", "-f", "{{.State.Running}}", NODE, env=engine.env)
    if running.stdout.strip() != b"true":
        return False
    inside = ("docker", "exec", NODE, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--request-timeout=5s")
    return places.kubeconfig.exists() and attempt(*inside, "get", "--raw", "/readyz", env=engine.env).returncode == 0


def write_to_node(engine: Engine, directory: str, files: Mapping[str, str]) -> None:
    """All of them in one call, with the directories they need."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content.encode())
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(content.encode()))
    engine.docker("exec", NODE, "mkdir", "-p", directory)
    engine.docker("cp", "-", f"{NODE}:{directory}", stdin=packed.getvalue())


def kubectl(pins: Pins, places: Places, engine: Engine, *, closed: bool) -> Path:
    """One of the cluster's own version: built here with the node image, or taken out of the node."""
    if closed:
        return gobuild.binary(pins, places.cache, "kubectl")
    path = places.state / "kubectl"
    on_path = shutil.which("kubectl")
    if not path.exists() and engine.docker("version", "--format", "{{.Client.Os}}").strip() == "linux":
        engine.docker("cp", "--follow-link", f"{NODE}:/usr/bin/kubectl", path)
    if path.exists() or on_path:
        return path if path.exists() else Path(str(on_path))
    return gobuild.binary(pins, places.cache, "kubectl")


def announce_registry(places: Places, kubectl_path: Path) -> None:
    """kind's documented way to tell tools where the local registry is."""
    run(kubectl_path, "--kubeconfig", places.kubeconfig, "apply", "-f", "-", stdin=HOSTING)


def wait_until_usable(places: Places, engine: Engine, kubectl_path: Path) -> None:
    """kind's Ready says nothing about DNS or Services; a connection to the DNS Service's address says both."""
    run(
        *(kubectl_path, "--kubeconfig", places.kubeconfig, "--namespace", "kube-system"),
        *("rollout", "status", "deployment/coredns", "--timeout=90s"),
        next_step="kubectl -n kube-system describe pods",
    )
    wait_for(
        f"the Service at {SERVICE}:{DNS_PORT}",
        30,
        lambda: engine.succeeds("exec", NODE, "bash", "-c", f"</dev/tcp/{SERVICE}/{DNS_PORT}", timeout=5),
        "kubectl -n kube-system logs daemonset/kube-proxy",
    )
