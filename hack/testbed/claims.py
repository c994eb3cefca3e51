"""Claims whose volumes build pods may write: what kind gives has directories of root and does not mind fsGroup."""

from __future__ import annotations

from testbed.kubectl import Document, Kubectl


def make(kubectl: Kubectl, name: str, mode: str = "0777") -> None:
    """A claim of the default StorageClass; its directory has this mode."""
    claim: Document = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    kubectl.apply(claim)
    prepare(kubectl, name, mode)


def prepare(kubectl: Kubectl, name: str, mode: str = "0777") -> None:
    """Of a claim that is there: its directory gets this mode."""
    pod = f"prepare-{name}"
    container = {
        "name": "prepare",
        "image": kubectl.place.builder_image,
        "command": ["sh", "-c", f"chown 0:0 /claim && chmod {mode} /claim"],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": "claim", "mountPath": "/claim"}],
    }
    document: Document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod},
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [container],
            "restartPolicy": "Never",
            "volumes": [{"name": "claim", "persistentVolumeClaim": {"claimName": name}}],
        },
    }
    kubectl.apply(document)
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{pod}", "--timeout=120s", timeout=130)
    kubectl("delete", "pod", pod)
