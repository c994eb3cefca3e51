"""Git over ssh for a namespace: the SSH server of hack/sshd in a pod of the builder image, and the keys for it.

Repositories are made by pushing to them. The program is compiled here and copied into the pod.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcluster import gobuild, pins, places
from localcluster.pins import digest
from localcluster.work import run, step
from testbed.kubectl import Kubectl
from testbed.place import ROOT

NAME = "ssh"
PORT = 2222
_SOURCE = ROOT / "hack" / "sshd"
_PROGRAM = "/tmp/sshd"
_START = f"until [ -x {_PROGRAM} ]; do sleep 0.1; done; exec {_PROGRAM} /tmp :{PORT} /keys/host /keys/client.pub"
_COPY = f"cat > {_PROGRAM}.new && chmod +x {_PROGRAM}.new && mv {_PROGRAM}.new {_PROGRAM}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    directory: Path

    def text(self, name: str) -> str:
        return (self.directory / name).read_text()

    def known_hosts(self, host: str, port: int = PORT) -> str:
        return f"[{host}]:{port} {self.text('host.pub')}"


def new_keys(directory: Path) -> Keys:
    directory.mkdir()
    for name in ("host", "client", "other"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name)
    return Keys(directory=directory)


def program() -> Path:
    cache = places.find().cache
    key = digest("sshd", *sorted(_SOURCE.iterdir()))
    path = cache / "bin" / f"sshd-{key}" / "sshd"
    if not path.exists():
        go = gobuild.toolchain(pins.load(), cache)
        path.parent.mkdir(parents=True, exist_ok=True)
        with step("compiling the SSH server for tests"):
            words = (go, "build", "-trimpath", "-o", path.with_name("new"), ".")
            run(*words, cwd=_SOURCE, env={"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}, timeout=600)
        path.with_name("new").rename(path)
    return path


def start(kubectl: Kubectl, keys: Keys) -> None:
    """Its address in the cluster is ssh.NAMESPACE, port 2222."""
    kubectl.apply(*manifests(kubectl.place.builder_image, keys))
    kubectl("wait", "--for=jsonpath={.status.phase}=Running", f"pod/{NAME}", "--timeout=120s", timeout=130)
    copy = kubectl.command("exec", "-i", NAME, "--", "sh", "-c", _COPY)
    subprocess.run(copy, input=program().read_bytes(), check=True, timeout=120)
    kubectl("wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=60s", timeout=70)


def manifests(image: str, keys: Keys) -> list[dict[str, Any]]:
    labels = {"app": NAME}
    given = {name: keys.text(name) for name in ("host", "client.pub")}
    container = {
        "name": NAME,
        "image": image,
        "command": ["sh", "-c", _START],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "volumeMounts": [
            {"name": "keys", "mountPath": "/keys", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"{NAME}-server"}, "stringData": given},
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": NAME, "labels": labels},
            "spec": {
                "automountServiceAccountToken": False,
                "containers": [container],
                "terminationGracePeriodSeconds": 1,
                "volumes": [
                    {"name": "keys", "secret": {"secretName": f"{NAME}-server"}},
                    {"name": "tmp", "emptyDir": {}},
                ],
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": NAME},
            "spec": {"selector": labels, "ports": [{"port": PORT}]},
        },
    ]
