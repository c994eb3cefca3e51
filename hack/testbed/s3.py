"""A server that speaks S3 (versitygw) for a namespace, in a pod of the builder image that is handed the program."""

from __future__ import annotations

from localcluster import gobuild, pins, places
from testbed.kubectl import Document, Kubectl
from testbed.server import awaits, hand_over, server

NAME = "s3"
PORT = 7070
REGION = "us-east-1"
BUCKET = "caches"
USER, PASSWORD = "builder", "not-so-secret-key"
_PROGRAM = "/data/versitygw"
_WAIT = f"mkdir -p /data/store/{BUCKET} /data/notes && {awaits(_PROGRAM)}"
_SERVE = f"exec {_PROGRAM} --port :{PORT} --region {REGION} posix --sidecar /data/notes /data/store"


def url(namespace: str) -> str:
    return f"http://{NAME}.{namespace}:{PORT}"


def serve(kubectl: Kubectl) -> None:
    """Until its namespace goes. The program is compiled where it is not there yet: some minutes."""
    program = gobuild.binary(pins.load(), places.find().cache, "versitygw")
    kubectl.apply(*_manifests(kubectl.place.builder_image))
    hand_over(kubectl, NAME, program, _PROGRAM)


def objects(kubectl: Kubectl) -> list[str]:
    """What is in the bucket."""
    found = kubectl("exec", NAME, "--", "sh", "-c", f"cd /data/store/{BUCKET} && find . -type f")
    return [line.removeprefix("./") for line in found.splitlines()]


def credentials(name: str, password: str = PASSWORD) -> Document:
    """As Amazon's tools read them."""
    text = f"[default]\naws_access_key_id = {USER}\naws_secret_access_key = {password}\n"
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"credentials": text}}


def _manifests(image: str) -> list[Document]:
    return server(
        NAME,
        image,
        PORT,
        ["sh", "-c", f"{_WAIT}; {_SERVE}"],
        volumes={"/data": {"emptyDir": {}}},
        env={"ROOT_ACCESS_KEY": USER, "ROOT_SECRET_KEY": PASSWORD},
        security={"runAsUser": 1000, "fsGroup": 1000},
    )
