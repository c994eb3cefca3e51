"""Puts the operator into the cluster: the manifests as they are, and an overlay that names images and registries."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcluster.work import Failure
from testbed import collector, egress, faults, frontend, mutualtls
from testbed.kubectl import Document, Kubectl, KubectlError, until
from testbed.place import ROOT, Place

NAMESPACE = "imagebuild-system"
DEPLOYMENT = "deployment/imagebuild-operator"
SECCOMP_NAMESPACE = "imagebuild-seccomp"
ISOLATION_MODES = ("Rootless", "UsernsMasked", "Userns")
ALLOWED = {
    "labels": ["kueue.x-k8s.io/queue-name", "team=*"],
    "annotations": ["example.com/*"],
    "serviceAccounts": ["builder", "cloud-*"],
    "priorityClasses": ["e2e-*"],
}
"""What the tests' ImageBuilds may say of their pods."""

PROCESSES = 1000
"""Of a build, so that an attempt to have more is short."""


def scanner(place: Place) -> str:
    """A test puts it there: the real ones know more, and are not in every network."""
    return f"{place.registry}/e2e/sbom-scanner:1"


def operator_config(place: Place) -> dict[str, object]:
    """The operator's configuration for this place, with namespaces for each isolation mode. JSON is YAML."""
    plain = (place.registry, egress.beyond(place.registry), faults.HOST)
    proxied = {"proxy": _behind(egress.ADDRESS)}
    docker_hub = [{"host": "docker.io", "mirrors": [place.mirror]}] if place.mirror else []
    return {
        "builder": {"image": place.builder_image},
        "isolation": "Rootless",
        "namespaces": [
            *({"match": f"*-{mode.lower()}", "isolation": mode} for mode in ISOLATION_MODES),
            *(
                {**proxied, **_archived(place, "Always"), "match": f"*-hostile-{mode.lower()}", "isolation": mode}
                for mode in ISOLATION_MODES
            ),
            {**_archived(place, "OnRequest"), "match": "*-archived"},
            {**proxied, "match": "*-proxied"},
            {"match": "*-astray", "proxy": _behind(egress.NOWHERE)},
            {"match": "*-builtin", "frontends": {"allowed": []}},
            {"match": "*-untrusted", "isolation": "Userns", "trust": "Untrusted"},
            {"match": "*-listed", "allow": _listed(place)},
            {"match": "*-traced", "tracing": {"endpoint": collector.ENDPOINT, "link": collector.LINK}},
            {"match": "*-unheard", "tracing": {"endpoint": collector.NOWHERE}},
        ],
        "registries": [
            *docker_hub,
            *({"host": host, "http": True} for host in plain),
            {"host": mutualtls.HOST, "clientCertificate": {"name": mutualtls.SECRET}},
        ],
        "certificateAuthorities": place.authorities + mutualtls.authority(),
        "sbomScanner": scanner(place),
        "frontends": {"allowed": ["docker/dockerfile", frontend.repository(place)]},
        "pod": {"allow": ALLOWED, "processes": PROCESSES},
        "cacheVolumes": {"allowed": True, "maxSize": "2Gi"},
    }


def _listed(place: Place) -> dict[str, object]:
    """What a namespace may name, push to and run on where the administrator says so."""
    return {
        "secrets": ["team-*"],
        "registries": [f"{place.registry}/e2e/*"],
        "nodeSelector": ["kubernetes.io/os=linux"],
        "tolerations": ["example.com/*"],
        "affinity": False,
    }


def _archived(place: Place, mode: str) -> dict[str, object]:
    repository = f"{place.private_registry}/build-logs/{{namespace}}"
    return {"archive": {"repository": repository, "secret": {"name": "archive-login"}, "mode": mode}}


def _behind(proxy: str) -> dict[str, object]:
    return {"http": f"http://{proxy}", "https": f"http://{proxy}", "secretRef": {"name": egress.SECRET}}


def overlay(place: Place, directory: Path) -> None:
    """A kustomization over manifests/, as a user's own would be."""
    directory.mkdir(parents=True, exist_ok=True)
    base = os.path.relpath(ROOT / "manifests", directory.resolve())
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [base],
        "components": [f"{base}/components/cache-volumes"],
        "images": [
            image("imagebuild-operator", place.operator_image),
            image("imagebuild-builder", place.builder_image),
        ],
        "configMapGenerator": [
            {
                "name": "imagebuild-operator",
                "namespace": NAMESPACE,
                "behavior": "replace",
                "files": ["config.yaml"],
            }
        ],
    }
    (directory / "config.yaml").write_text(json.dumps(operator_config(place), indent=2) + "\n")
    (directory / "kustomization.yaml").write_text(json.dumps(kustomization, indent=2) + "\n")


def deploy(kubectl: Kubectl, directory: Path) -> None:
    """Applies the overlay and waits until operator and profile are there. Harmless where they are already."""
    _reach(kubectl)
    overlay(kubectl.place, directory)
    kubectl("apply", "--server-side", "--force-conflicts", "-k", str(directory))
    kubectl("wait", "--for=condition=Established", "crd/imagebuilds.imagebuild.dev", "--timeout=30s")
    rolled_out(kubectl)


def _reach(kubectl: Kubectl) -> None:
    try:
        kubectl("get", "--raw", "/readyz", timeout=30)
    except KubectlError as error:
        raise Failure("the cluster does not answer", str(error), "hack/cluster up, then hack/images") from error


def rolled_out(kubectl: Kubectl) -> None:
    for namespace, workload in (
        (SECCOMP_NAMESPACE, "daemonset/imagebuild-seccomp"),
        (NAMESPACE, DEPLOYMENT),
    ):
        kubectl.within(namespace)("rollout", "status", workload, "--timeout=120s", timeout=130)


def _alive(kubectl: Kubectl) -> list[Document]:
    """Pods that have not ended: what a node has evicted stays as an object."""
    return [pod for pod in kubectl.items("pods") if pod["status"]["phase"] not in ("Succeeded", "Failed")]


@contextmanager
def without_operator(kubectl: Kubectl) -> Iterator[None]:
    """It is taken away, and comes back at the end. `kubectl` is of its namespace."""
    replicas = kubectl.get(DEPLOYMENT)["spec"]["replicas"]
    try:
        kubectl("scale", DEPLOYMENT, "--replicas=0")
        until("the operator in the cluster to be gone", lambda: not _alive(kubectl), seconds=120)
        yield
    finally:
        kubectl("scale", DEPLOYMENT, f"--replicas={replicas}")
        kubectl("rollout", "status", DEPLOYMENT, "--timeout=120s", timeout=130)


def image(name: str, reference: str) -> dict[str, str]:
    """`host:5000/name:tag@sha256:…` in kustomize's words."""
    tagged, _, digest = reference.partition("@")
    head, slash, last = tagged.rpartition("/")
    repository, _, tag = last.partition(":")
    return {"name": name, "newName": head + slash + repository, **({"digest": digest} if digest else {"newTag": tag})}
