"""A server for tests: one pod of the builder image and its Service. What it runs is given as a file or handed over."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from testbed.kubectl import Document, Kubectl


def server(
    name: str,
    image: str,
    port: int,
    command: Sequence[str],
    *,
    volumes: Mapping[str, Document],
    env: Mapping[str, str] | None = None,
    security: Document | None = None,
) -> list[Document]:
    """Pod and Service; the address in the cluster is NAME.NAMESPACE:PORT. `volumes`: by where they are mounted."""
    labels = {"app": name}
    named = {path.strip("/").replace("/", "-"): (path, source) for path, source in volumes.items()}
    container = {
        "name": name,
        "image": image,
        "command": list(command),
        "env": [{"name": key, "value": value} for key, value in (env or {}).items()],
        "readinessProbe": {
            "tcpSocket": {"port": port},
            "periodSeconds": 1,
            "timeoutSeconds": 5,
            "failureThreshold": 10,
        },
        "volumeMounts": [{"name": volume, "mountPath": path} for volume, (path, _) in named.items()],
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "automountServiceAccountToken": False,
                "containers": [container],
                "securityContext": security or {},
                "terminationGracePeriodSeconds": 1,
                "volumes": [{"name": volume, **source} for volume, (_, source) in named.items()],
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": labels, "ports": [{"port": port}]},
        },
    ]


def scripted(name: str, image: str, port: int, script: Path, *words: str, **volumes: Document) -> list[Document]:
    """One that runs a Python file: `python3 FILE WORDS… PORT`. `volumes`: by the names of directories below /."""
    program = {"configMap": {"name": name}}
    mounted = {"/program": program, **{f"/{directory}": source for directory, source in volumes.items()}}
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name},
            "data": {script.name: script.read_text()},
        },
        *server(name, image, port, ["python3", f"/program/{script.name}", *words, str(port)], volumes=mounted),
    ]


def ready(kubectl: Kubectl, name: str) -> None:
    kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=120s", timeout=130)


def awaits(program: str) -> str:
    """What a shell of the pod does first where it is handed the program."""
    return f"until [ -x {program} ]; do sleep 0.1; done"


def hand_over(kubectl: Kubectl, name: str, file: Path, program: str) -> None:
    """Copies a program into the pod that awaits it, and waits until it serves."""
    kubectl("wait", "--for=jsonpath={.status.phase}=Running", f"pod/{name}", "--timeout=120s", timeout=130)
    take = f"cat > {program}.new && chmod +x {program}.new && mv {program}.new {program}"
    with file.open("rb") as content:
        words = kubectl.command("exec", "-i", name, "--", "sh", "-c", take)
        subprocess.run(words, stdin=content, check=True, capture_output=True, timeout=120)
    ready(kubectl, name)
