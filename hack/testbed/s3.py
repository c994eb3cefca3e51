"""A server that speaks S3 (versitygw) for a namespace, in a pod of the builder image that is handed the program."""

from __future__ import annotations

import subprocess
from typing import Any

from localcluster import gobuild, pins, places
from testbed.kubectl import Document, Kubectl

NAME = "s3"
PORT = 7070
REGION = "us-east-1"
BUCKET = "caches"
USER, PASSWORD = "builder", "not-so-secret-key"
_PROGRAM = "/data/versitygw"
_WAIT = f"mkdir -p /data/store/{BUCKET} /data/notes && until [ -x {_PROGRAM} ]; do sleep 0.2; done"
_SERVE = f"exec {_PROGRAM} --port :{PORT} --region {REGION} posix --sidecar /data/notes /data/store"
_TAKE = f"cat > {_PROGRAM}.new && chmod +x {_PROGRAM}.new && mv {_PROGRAM}.new {_PROGRAM}"


def url(namespace: str) -> str:
    return f"http://{NAME}.{namespace}:{PORT}"


def serve(kubectl: Kubectl) -> None:
    """Until its namespace goes. The program is compiled where it is not there yet: some minutes."""
    program = gobuild.binary(pins.load(), places.find().cache, "versitygw")
    kubectl.apply(*_manifests(kubectl.place.builder_image))
    kubectl("wait", "--for=jsonpath={.status.phase}=Running", f"pod/{NAME}", "--timeout=120s", timeout=130)
    with program.open("rb") as content:
        words = kubectl.command("exec", "-i", NAME, "--", "sh", "-c", _TAKE)
        subprocess.run(words, stdin=content, check=True, capture_output=True, timeout=120)
    kubectl("wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=60s", timeout=70)


def objects(kubectl: Kubectl) -> list[str]:
    """What is in the bucket."""
    found = kubectl("exec", NAME, "--", "sh", "-c", f"cd /data/store/{BUCKET} && find . -type f")
    return [line.removeprefix("./") for line in found.splitlines()]


def credentials(name: str, password: str = PASSWORD) -> Document:
    """As Amazon's tools read them."""
    text = f"[default]\naws_access_key_id = {USER}\naws_secret_access_key = {password}\n"
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"credentials": text}}


def _manifests(image: str) -> list[dict[str, Any]]:
    labels = {"app": NAME}
    container = {
        "name": NAME,
        "image": image,
        "command": ["sh", "-c", f"{_WAIT}; {_SERVE}"],
        "env": [{"name": "ROOT_ACCESS_KEY", "value": USER}, {"name": "ROOT_SECRET_KEY", "value": PASSWORD}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": NAME, "labels": labels},
            "spec": {
                "automountServiceAccountToken": False,
                "containers": [container],
                "securityContext": {"runAsUser": 1000, "fsGroup": 1000},
                "terminationGracePeriodSeconds": 1,
                "volumes": [{"name": "data", "emptyDir": {}}],
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": NAME},
            "spec": {"selector": labels, "ports": [{"port": PORT}]},
        },
    ]
