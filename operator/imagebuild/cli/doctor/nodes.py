"""The nodes of a cluster as classes: what one of a class can run, the others can."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ANYWHERE", "Classes", "Node", "NodeClass", "classes", "node"]

Document = Mapping[str, Any]

POOL_LABELS = (
    "karpenter.sh/nodepool",
    "eks.amazonaws.com/nodegroup",
    "cloud.google.com/gke-nodepool",
    "kubernetes.azure.com/agentpool",
    "doks.digitalocean.com/node-pool",
    "k8s.scaleway.com/pool-name",
    "kops.k8s.io/instancegroup",
    "machineconfiguration.openshift.io/role",
)
"""With which clouds and installers mark the nodes that are made alike."""
_MARKS = ("eks.amazonaws.com/compute-type", "sandbox.gke.io/runtime", "cloud.google.com/gke-provisioning")
"""Labels that say which kind of a platform it is; platforms.py looks for them."""
_KEPT_OFF = ("NoSchedule", "NoExecute")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    name: str
    os_image: str = ""
    kernel: str = ""
    runtime: str = ""
    kubelet: str = ""
    architecture: str = ""
    pool: str = ""
    """label=value, where it has one."""
    marks: str = ""
    """More by which its platform is known."""
    memory: str = ""
    """Allocatable, as Kubernetes writes it."""
    absent: str = field(default="", compare=False)
    """Why no pod goes there; empty where one does."""

    @property
    def alike(self) -> tuple[str, ...]:
        return (self.os_image, self.kernel, self.runtime, self.kubelet, self.architecture, self.pool, self.marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeClass:
    chosen: Node
    """That its pods run on. Without a name: wherever the scheduler puts them."""
    names: tuple[str, ...] = ()
    """Of all nodes of the class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    found: tuple[NodeClass, ...]
    left_out: tuple[str, ...] = ()
    """Sentences on classes without a node that takes pods."""


ANYWHERE = NodeClass(chosen=Node(name=""))


def node(document: Document, *, tainted: bool = False) -> Node:
    """`tainted`: the pod tolerates all taints."""
    meta, status = document["metadata"], document.get("status") or {}
    labels, told = meta.get("labels") or {}, status.get("nodeInfo") or {}
    return Node(
        name=meta["name"],
        os_image=told.get("osImage", ""),
        kernel=told.get("kernelVersion", ""),
        runtime=told.get("containerRuntimeVersion", ""),
        kubelet=told.get("kubeletVersion", ""),
        architecture=told.get("architecture", ""),
        pool=next((f"{key}={labels[key]}" for key in POOL_LABELS if key in labels), ""),
        marks=" ".join(f"{key}={labels[key]}" for key in _MARKS if key in labels),
        memory=(status.get("allocatable") or {}).get("memory", ""),
        absent=_absent(document, tainted=tainted),
    )


def _absent(document: Document, *, tainted: bool) -> str:
    spec, status = document.get("spec") or {}, document.get("status") or {}
    told = status.get("nodeInfo") or {}
    if told.get("operatingSystem", "linux") != "linux":
        return f"it runs {told['operatingSystem']}"
    if not any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions") or ()):
        return "it is not ready"
    if spec.get("unschedulable"):
        return "it is cordoned"
    taint = next((each for each in spec.get("taints") or () if each.get("effect") in _KEPT_OFF), None)
    if taint is not None and not tainted:
        return f"it has the taint {taint['key']}:{taint['effect']}"
    return ""


def classes(nodes: Iterable[Node]) -> Classes:
    """In the order of their names, each with the first node that takes pods."""
    alike: dict[tuple[str, ...], list[Node]] = {}
    for each in sorted(nodes, key=lambda found: found.name):
        alike.setdefault(each.alike, []).append(each)
    found, left_out = [], []
    for members in alike.values():
        names = tuple(each.name for each in members)
        chosen = next((each for each in members if not each.absent), None)
        if chosen is None:
            left_out.append(f"{_some(names)}: {members[0].absent}")
        else:
            found.append(NodeClass(chosen=chosen, names=names))
    return Classes(found=tuple(found), left_out=tuple(left_out))


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more like them" if len(names) > 3 else "")  # noqa: PLR2004
