"""A registry that wants a client certificate, in a pod of the builder image that is handed the program.

Its certificates are made once for a cluster, because the operator's configuration names their authority.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from localcluster import certificates, gobuild, pins, places
from testbed.kubectl import Document, Kubectl
from testbed.server import awaits, hand_over, server

NAME = "mutual"
NAMESPACE = "imagebuild-mutual-tls"
PORT = 5443
HOST = f"{NAME}.{NAMESPACE}:{PORT}"
"""Fixed: the operator's configuration names it."""
SECRET = "registry-client"
_PROGRAM = "/data/registry"
_SERVE = f"{awaits(_PROGRAM)}; exec {_PROGRAM} serve /settings/config.yml"
_FILES = "/certificates"
_CONFIG = {
    "version": "0.1",
    "storage": {"filesystem": {"rootdirectory": "/data/store"}},
    "http": {
        "addr": f":{PORT}",
        "tls": {
            "certificate": f"{_FILES}/server.crt",
            "key": f"{_FILES}/server.key",
            "clientcas": [f"{_FILES}/ca.crt"],
        },
    },
}


def authority() -> str:
    """PEM, of its certificate and those of its clients."""
    return (_certificates() / "ca.crt").read_text()


def client(by: str = "client") -> Document:
    """The Secret with the certificate that it takes; or, by "stranger", with one that it does not know."""
    directory = _certificates()
    values = {f"tls.{part}": _encoded((directory / f"{by}.{part}").read_bytes()) for part in ("crt", "key")}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET},
        "type": "kubernetes.io/tls",
        "data": values,
    }


def serve(kubectl: Kubectl) -> None:
    """In its namespace, until that goes. The program is compiled where it is not there yet: some minutes."""
    program = gobuild.binary(pins.load(), places.find().cache, "registry")
    kubectl.apply(*_manifests(kubectl.place.builder_image))
    hand_over(kubectl, NAME, program, _PROGRAM)


def _manifests(image: str) -> list[Document]:
    directory = _certificates()
    given = {name: _encoded((directory / name).read_bytes()) for name in ("ca.crt", "server.crt", "server.key")}
    volumes: dict[str, Document] = {
        "/data": {"emptyDir": {}},
        "/settings": {"configMap": {"name": NAME}},
        _FILES: {"secret": {"secretName": NAME}},
    }
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME}, "data": given},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": NAME},
            "data": {"config.yml": json.dumps(_CONFIG)},
        },
        *server(NAME, image, PORT, ["sh", "-c", _SERVE], volumes=volumes),
    ]


def _certificates() -> Path:
    directory = places.find().state / "mutual-tls"
    if not (directory / "stranger.crt").exists():
        directory.mkdir(parents=True, exist_ok=True)
        certificates.authority(directory, "imagebuild mutual TLS CA")
        certificates.authority(directory, "nobody's CA", "other")
        certificates.signed(directory, "server", NAME, certificates.serves(HOST.partition(":")[0]))
        certificates.signed(directory, "client", "builder", certificates.CLIENT)
        certificates.signed(directory, "stranger", "builder", certificates.CLIENT, by="other")
    return directory


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
