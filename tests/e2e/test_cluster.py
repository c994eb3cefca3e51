"""What everything else takes for granted of the cluster that hack/cluster makes: names, Services, pods that may build."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from localcluster import engine, pins, places
from localcluster.places import NODE
from testbed.kubectl import Document, Kubectl, until
from testbed.place import ROOT, Place
from testbed.registry import login_secret, manifest

pytestmark = pytest.mark.cluster

PYTHON = pins.load().images["python"]
BUSYBOX = pins.load().images["busybox"]
PROFILE = ROOT / "manifests" / "seccomp" / "profile.json"
PROFILE_ON_NODE = "test-cluster/profile.json"
# All ids such a pod has (65,536) but its root and its own, 1000. One range from 1001 up would leave out nobody, 65534.
SUB_IDS = "user:1:999\nuser:1001:64535\n"
CONNECT = """
import socket, sys
for target in sys.argv[1:]:
    host, port = target.rsplit(":", 1)
    socket.create_connection((host, int(port)), timeout=10).close()
    print(host)
"""
DOCKERFILE = f"""\
FROM {BUSYBOX} AS one
RUN echo built > /one && id -u > /uid
FROM {BUSYBOX}
COPY --from=one /one /uid /
RUN chown 65534 /one
USER 65534
CMD ["cat", "/one", "/uid"]
"""
BUILD = """
set -eu
export BUILDKIT_HOST=unix:///run/user/1000/buildkitd.sock
rootlesskit buildkitd --config /config/buildkitd.toml --addr "$BUILDKIT_HOST" "$@" &
for _ in $(seq 300); do buildctl debug workers >/dev/null 2>&1 && break; sleep 0.1; done
buildctl build --progress plain --frontend dockerfile.v0 --local context=/config --local dockerfile=/config \
  --output "type=image,name=$IMAGE,push=true"
"""


@pytest.fixture(scope="session")
def docker() -> engine.Engine:
    found = engine.running(places.find())
    assert found, "these tests are about the cluster of hack/cluster: run hack/cluster up"
    return found


def ended(kubectl: Kubectl, name: str, seconds: float = 120) -> str:
    """The log of a pod that came to its end well."""

    def phase() -> str:
        document: Document = kubectl.get("pod", name)
        return str(document["status"].get("phase", ""))

    until(f"the end of pod {name}", lambda: phase() in {"Succeeded", "Failed"}, seconds=seconds)
    log = kubectl("logs", name)
    assert phase() == "Succeeded", log
    return log


def run(kubectl: Kubectl, name: str, image: str, *command: str, **more: Any) -> str:
    container = {"name": "main", "image": image, **({"command": list(command)} if command else {})}
    spec = {"restartPolicy": "Never", "containers": [container], **more}
    kubectl.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    return ended(kubectl, name)


def answer(url: str, place: Place, *, login: bool = False) -> int:
    pair = base64.b64encode(f"{place.user}:{place.password}".encode()).decode()
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {pair}"} if login else {})
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=place.registry_ca)),
    )
    try:
        with opener.open(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


def test_a_pod_reaches_services_and_registries_by_name(new_namespace: Callable[[], Kubectl]) -> None:
    kubectl = new_namespace()
    targets = ["kubernetes.default:443", kubectl.place.registry, kubectl.place.private_registry]
    log = run(kubectl, "connect", PYTHON, "python3", "-c", CONNECT, *targets)
    assert log.split() == [target.rpartition(":")[0] for target in targets]


def test_the_node_reaches_the_registries_by_name(place: Place, docker: engine.Engine) -> None:
    for name in (place.registry, place.private_registry):
        host, _, port = name.partition(":")
        docker.docker("exec", NODE, "bash", "-c", f"</dev/tcp/{host}/{port}")


def test_this_host_reaches_the_registries_by_name_and_only_the_private_one_asks_who_it_is(place: Place) -> None:
    assert answer(f"http://{place.registry}/v2/", place) == 200
    assert answer(f"https://{place.private_registry}/v2/", place) == 401
    assert answer(f"https://{place.private_registry}/v2/", place, login=True) == 200


def test_the_cluster_says_where_its_registry_is(kubectl: Kubectl) -> None:
    hosting = kubectl.within("kube-public").get("configmap", "local-registry-hosting")
    assert f'host: "{kubectl.place.registry}"' in hosting["data"]["localRegistryHosting.v1"]


@pytest.mark.parametrize("mode", ["Rootless", "UsernsMasked", "Userns"])
def test_a_hand_written_pod_builds_and_pushes_where_baseline_is_enforced(
    mode: str, new_namespace: Callable[[], Kubectl], docker: engine.Engine
) -> None:
    kubectl = new_namespace()
    place = kubectl.place
    image = f"{place.private_registry}/cluster/{kubectl.namespace}:{mode.lower()}"
    _put_profile_on_node(docker)
    kubectl.apply(login_secret(place, "login"), _build_configuration(place))
    kubectl.create(build_pod(mode, place.builder_image, image))
    ended(kubectl, "build")

    assert manifest(place, image)
    log = run(kubectl, "built", image, imagePullSecrets=[{"name": "login"}])
    assert log.split() == ["built", "0"]


def _put_profile_on_node(docker: engine.Engine) -> None:
    target = f"/var/lib/kubelet/seccomp/{PROFILE_ON_NODE}"
    write = f"mkdir -p $(dirname {target}) && cat > {target}"
    docker.docker("exec", "--interactive", NODE, "sh", "-c", write, stdin=PROFILE.read_bytes())


def _build_configuration(place: Place) -> Document:
    mirror = f'[registry."docker.io"]\n  mirrors = ["{place.mirror}"]\n' if place.mirror else ""
    daemon = (
        f'{mirror}[registry."{place.registry}"]\n  http = true\n'
        f'[registry."{place.private_registry}"]\n  ca = ["/config/ca.crt"]\n'
    )
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "build"},
        "data": {"Dockerfile": DOCKERFILE, "buildkitd.toml": daemon, "ca.crt": place.authorities},
    }


def build_pod(mode: str, builder: str, image: str) -> Document:
    """The three isolation modes differ in the user namespace, what masks /proc, and BuildKit's process sandbox."""
    user_namespace, sandbox = mode != "Rootless", mode == "Userns"
    sub_ids = [
        {"name": "sub-ids", "mountPath": f"/etc/{name}", "subPath": "ids", "readOnly": True}
        for name in ("subuid", "subgid")
    ]
    annotation = {"fieldRef": {"fieldPath": "metadata.annotations['sub-ids']"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "build", "annotations": {"sub-ids": SUB_IDS}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "hostUsers": not user_namespace,
            "securityContext": {"runAsUser": 1000, "runAsGroup": 1000, "runAsNonRoot": True, "fsGroup": 1000},
            "containers": [
                {
                    "name": "main",
                    "image": builder,
                    "command": ["sh", "-c", BUILD, "sh"],
                    "args": [] if sandbox else ["--oci-worker-no-process-sandbox"],
                    "env": [{"name": "IMAGE", "value": image}, {"name": "DOCKER_CONFIG", "value": "/login"}],
                    "securityContext": {
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"], "add": ["SETUID", "SETGID"]},
                        "seccompProfile": {"type": "Localhost", "localhostProfile": PROFILE_ON_NODE},
                        **({"procMount": "Unmasked"} if sandbox else {}),
                    },
                    "volumeMounts": [
                        {"name": "state", "mountPath": "/home/user/.local/share/buildkit"},
                        {"name": "run", "mountPath": "/run/user/1000"},
                        {"name": "tmp", "mountPath": "/tmp"},
                        {"name": "config", "mountPath": "/config", "readOnly": True},
                        {"name": "login", "mountPath": "/login", "readOnly": True},
                        *(sub_ids if user_namespace else []),
                    ],
                }
            ],
            "volumes": [
                *({"name": name, "emptyDir": {}} for name in ("state", "run", "tmp")),
                {"name": "config", "configMap": {"name": "build"}},
                {"name": "login", "secret": {"secretName": "login", "items": [_AS_CONFIG_JSON]}},
                {"name": "sub-ids", "downwardAPI": {"items": [{"path": "ids", **annotation}]}},
            ],
        },
    }


_AS_CONFIG_JSON = {"key": ".dockerconfigjson", "path": "config.json"}


def test_kubectl_is_of_the_clusters_minor_version(kubectl: Kubectl) -> None:
    versions = json.loads(kubectl("version", "-o", "json"))
    assert versions["clientVersion"]["minor"] == versions["serverVersion"]["minor"]
