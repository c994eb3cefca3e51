"""The registries as a client on the host sees them: manifests by tag or digest, and blobs that go with them."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from testbed.place import Place

_ACCEPT = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
_NOT_FOUND = 404


def manifest(place: Place, image: str) -> tuple[str, dict[str, Any]] | None:
    """Digest and content of `host:port/repository:tag` or `…@digest`; None if the registry has no such manifest."""
    host, repository, reference = _parts(image)
    try:
        with _get(place, host, f"{repository}/manifests/{reference}") as answer:
            return answer.headers["Docker-Content-Digest"], json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == _NOT_FOUND:
            return None
        raise


def blob(place: Place, image: str, digest: str) -> bytes:
    """What has this digest in the repository of an image."""
    host, repository, _ = _parts(image)
    with _get(place, host, f"{repository}/blobs/{digest}") as answer:
        content: bytes = answer.read()
    return content


def delete(place: Place, image: str, *, layers: bool) -> None:
    """The manifest that the tag names, or what a clean-up by age may take from below it: its layers. Of the open
    registry, which must allow it."""
    found = manifest(place, image)
    assert found is not None, f"there is no {image}"
    digest, content = found
    host, _, rest = image.partition("/")
    repository = rest.rpartition(":")[0]
    below = [f"blobs/{layer['digest']}" for layer in content["layers"]]
    for path in below if layers else [f"manifests/{digest}"]:
        request = urllib.request.Request(f"http://{host}/v2/{repository}/{path}", method="DELETE")
        urllib.request.urlopen(request, timeout=10).close()


def upload(place: Place, repository: str, content: bytes) -> str:
    """A blob of `host:port/repository`; its digest."""
    host, _, name = repository.partition("/")
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    with _send(place, host, f"/v2/{name}/blobs/uploads/", method="POST", content=b"") as answer:
        location = answer.headers["Location"]
    mark = "&" if "?" in location else "?"
    with _send(place, host, f"{location}{mark}digest={digest}", method="PUT", content=content):
        return digest


def tag(place: Place, image: str, document: dict[str, Any]) -> str:
    """Makes a manifest `host:port/repository:tag`; its digest."""
    host, _, rest = image.partition("/")
    name, _, reference = rest.rpartition(":")
    content, kind = json.dumps(document).encode(), document["mediaType"]
    with _send(place, host, f"/v2/{name}/manifests/{reference}", method="PUT", content=content, kind=kind) as answer:
        found: str = answer.headers["Docker-Content-Digest"]
        return found


def _send(
    place: Place, host: str, path: str, *, method: str, content: bytes, kind: str = "application/octet-stream"
) -> Any:
    url = path if "://" in path else f"{'http' if host == place.registry else 'https'}://{host}{path}"
    headers = {"Content-Type": kind, **_login(place, host)}
    request = urllib.request.Request(url, data=content, method=method, headers=headers)
    return urllib.request.urlopen(request, timeout=30, context=ssl.create_default_context(cafile=place.registry_ca))


def docker_config(place: Place, password: str | None = None) -> str:
    """The content of a kubernetes.io/dockerconfigjson Secret for the private registry."""
    pair = f"{place.user}:{place.password if password is None else password}"
    auth = base64.b64encode(pair.encode()).decode()
    return json.dumps({"auths": {place.private_registry: {"auth": auth}}})


def login_secret(place: Place, name: str, password: str | None = None) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": docker_config(place, password)},
    }


def _parts(image: str) -> tuple[str, str, str]:
    """Host, repository, and tag or digest."""
    host, _, rest = image.partition("/")
    repository, mark, reference = rest.partition("@") if "@" in rest else rest.rpartition(":")
    assert mark, f"{image} has neither tag nor digest"
    return host, repository, reference


def _get(place: Place, host: str, path: str) -> Any:
    request = urllib.request.Request(
        f"{'http' if host == place.registry else 'https'}://{host}/v2/{path}",
        headers={"Accept": _ACCEPT, **_login(place, host)},
    )
    context = ssl.create_default_context(cafile=place.registry_ca)
    return urllib.request.urlopen(request, timeout=10, context=context)


def _login(place: Place, host: str) -> dict[str, str]:
    if host != place.private_registry:
        return {}
    pair = base64.b64encode(f"{place.user}:{place.password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}
