"""Git over ssh for a namespace: the SSH server of hack/sshd in a pod of the builder image, and the keys for it.

Repositories are made by pushing to them. The program is compiled here and copied into the pod.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localcluster import gobuild, pins, places
from localcluster.work import run
from testbed.kubectl import Document, Kubectl
from testbed.place import ROOT
from testbed.server import awaits, hand_over, server

NAME = "ssh"
PORT = 2222
_SOURCE = ROOT / "hack" / "sshd"
_PROGRAM = "/tmp/sshd"
_START = f"{awaits(_PROGRAM)}; exec {_PROGRAM} /tmp :{PORT} /keys/host /keys/client.pub"


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
    return gobuild.ours(pins.load(), places.find().cache, "sshd", _SOURCE, "the SSH server for tests")


def start(kubectl: Kubectl, keys: Keys) -> None:
    """Its address in the cluster is ssh.NAMESPACE, port 2222."""
    kubectl.apply(*manifests(kubectl.place.builder_image, keys))
    hand_over(kubectl, NAME, program(), _PROGRAM)


def manifests(image: str, keys: Keys) -> list[Document]:
    given = {name: keys.text(name) for name in ("host", "client.pub")}
    secret = f"{NAME}-server"
    volumes: dict[str, Document] = {"/keys": {"secret": {"secretName": secret}}, "/tmp": {"emptyDir": {}}}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret}, "stringData": given},
        *server(NAME, image, PORT, ["sh", "-c", _START], volumes=volumes),
    ]
