"""The API server: every call the operator makes, and the permissions that they need. The only importer of `kubernetes`.

Documents go in and out as they are, not through the client's typed models: those refuse fields newer than the client.
"""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
from kubernetes.aio import client, config

from imagebuild.api import names

Document = dict[str, Any]

PERMISSIONS = {
    (names.GROUP, names.PLURAL): {"get", "list", "watch", "delete"},
    (names.GROUP, f"{names.PLURAL}/status"): {"update"},
    ("", "pods"): {"create", "get", "list", "watch", "patch", "delete"},
    ("", "events"): {"create"},
}
"""What manifests/operator/rbac.yaml grants, by API group and resource; a test compares the two."""

PERMISSIONS_AT_HOME = {("coordination.k8s.io", "leases"): {"create", "get", "update"}}
"""What it grants in the operator's own namespace only."""

PERMISSIONS_FOR_CLAIMS = {("", "persistentvolumeclaims"): {"create", "get", "list", "patch", "delete"}}
"""What manifests/components/cache-volumes grants."""

_TIMEOUT_SECONDS = 10.0
_LIST_TIMEOUT_SECONDS = 60.0
_PAGE = 500
_BUILDS = f"/apis/{names.API_VERSION}"
_CORE = "/api/v1"
_OURS = {"labelSelector": f"{names.MANAGED_BY}={names.MANAGER}"}
_MERGE_PATCH = "application/merge-patch+json"
_FORBIDDEN = 403
_NOT_READY = ("error looking up service account", "status unknown for quota", "not yet ready to handle request")
"""In a 403: a namespace's service account or the status of its quota is still to come, or the server is starting."""


class ClusterError(Exception):
    """The world's fault; whatever was to be done is tried again."""


class NoClusterError(Exception):
    """There are no credentials for any API server."""


class UnansweredError(ClusterError):
    """There was no answer: whether the request was carried out is not known."""


class NotLeadingError(ClusterError):
    """The request was not sent, because another operator may lead by now."""


class ApiError(ClusterError):
    """The API server answered with an error: its code, its reason in one word, and its sentence."""

    def __init__(self, code: int, reason: str, message: str, retry_after: float = 0.0) -> None:
        """`retry_after`: the seconds that the server wants to be left alone."""
        super().__init__(f"{code} {reason}: {message}")
        self.code, self.reason, self.message, self.retry_after = code, reason, message, retry_after

    @property
    def passes(self) -> bool:
        """A refusal that is about the API server's own state, or a namespace that has just been made: not about what it
        was asked for."""
        return self.code == _FORBIDDEN and any(words in self.message for words in _NOT_READY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that was made, in RBAC's words."""

    verb: str
    resource: str
    code: str
    """`none`: there was no answer."""
    seconds: float


class Cluster:
    def __init__(self, configuration: client.Configuration) -> None:
        self._may_write: Callable[[], bool] = lambda: True
        self._called: Callable[[Call], None] = lambda _: None
        self.namespaces: tuple[str, ...] = ()
        """Where the operator works. None: in all of them."""
        # else each request reads ~/.netrc and the proxies of the environment, both in another thread
        configuration.client_session_kwargs = {"trust_env": False}
        self._api = client.ApiClient(configuration)

    @classmethod
    async def connect(cls) -> Cluster:
        """With the pod's service account, else with the kubeconfig (KUBECONFIG, ~/.kube/config)."""
        configuration = client.Configuration()
        try:
            if "KUBERNETES_SERVICE_HOST" in os.environ:
                config.load_incluster_config(client_configuration=configuration)
            else:
                await config.load_kube_config(client_configuration=configuration)
        except config.ConfigException as error:
            raise NoClusterError(
                f"no cluster: {error} Run in a pod with a service account, or set KUBECONFIG"
            ) from error
        return cls(configuration)

    def observed(self, called: Callable[[Call], None]) -> Self:
        """The same, and `called` is told of each request."""
        twin = copy.copy(self)
        twin._called = called  # noqa: SLF001 one of us
        return twin

    def guarded(self, may_write: Callable[[], bool]) -> Self:
        """The same for what only a leader may do: asked right before each request that changes something."""
        twin = copy.copy(self)
        twin._may_write = may_write  # noqa: SLF001 one of us
        return twin

    def within(self, namespaces: Sequence[str]) -> Self:
        """The same for an operator that has rights in these namespaces only."""
        twin = copy.copy(self)
        twin.namespaces = tuple(dict.fromkeys(namespaces))
        return twin

    async def close(self) -> None:
        await self._api.close()

    def builds(self) -> AsyncIterator[Document]:
        """All ImageBuilds, a List document a page."""
        return self._everywhere(_BUILDS, names.PLURAL, {})

    def pods(self) -> AsyncIterator[Document]:
        """All build pods, a List document a page."""
        return self._everywhere(_CORE, "pods", _OURS)

    def claims(self) -> AsyncIterator[Document]:
        """All claims that the operator has made, a List document a page."""
        return self._everywhere(_CORE, "persistentvolumeclaims", _OURS)

    async def build(self, namespace: str, name: str) -> Document:
        return await self.call("GET", _build_path(namespace, name))

    async def put_status(self, build: Mapping[str, str], status: Document) -> Document:
        """Replaces the status whole, so that nothing of an older run stays; 409 if the object has changed since."""
        body = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": build, "status": status}
        return await self.call("PUT", _build_path(build["namespace"], build["name"]) + "/status", body)

    async def delete_build(self, namespace: str, name: str, uid: str, resource_version: str) -> Document:
        """409 if the object has changed since."""
        body = {"preconditions": {"uid": uid, "resourceVersion": resource_version}}
        return await self.call("DELETE", _build_path(namespace, name), body)

    async def pod(self, namespace: str, name: str) -> Document:
        return await self.call("GET", _pod_path(namespace, name))

    async def create_pod(self, manifest: Document) -> Document:
        return await self.call("POST", _pod_path(manifest["metadata"]["namespace"]), manifest)

    async def patch_pod(self, namespace: str, name: str, uid: str, patch: Document) -> Document:
        guarded = {**patch, "metadata": {**patch.get("metadata", {}), "uid": uid}}
        return await self.call("PATCH", _pod_path(namespace, name), guarded, content_type=_MERGE_PATCH)

    async def delete_pod(self, namespace: str, name: str, uid: str) -> Document:
        return await self.call("DELETE", _pod_path(namespace, name), {"preconditions": {"uid": uid}})

    async def claim(self, namespace: str, name: str) -> Document:
        return await self.call("GET", _claim_path(namespace, name))

    async def create_claim(self, manifest: Document) -> Document:
        return await self.call("POST", _claim_path(manifest["metadata"]["namespace"]), manifest)

    async def patch_claim(self, found: Document, patch: Document) -> Document:
        """409 if it has changed since it was found."""
        meta = found["metadata"]
        guard = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
        guarded = {**patch, "metadata": {**patch.get("metadata", {}), **guard}}
        path = _claim_path(meta["namespace"], meta["name"])
        return await self.call("PATCH", path, guarded, content_type=_MERGE_PATCH)

    async def delete_claim(self, found: Document) -> Document:
        """409 if it has changed since it was found."""
        meta = found["metadata"]
        body = {"preconditions": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}}
        return await self.call("DELETE", _claim_path(meta["namespace"], meta["name"]), body)

    async def create_event(self, event: Document) -> Document:
        return await self.call("POST", f"/api/v1/namespaces/{event['metadata']['namespace']}/events", event)

    async def lease(self, namespace: str, name: str) -> Document:
        return await self.call("GET", _lease_path(namespace, name))

    async def create_lease(self, document: Document) -> Document:
        return await self.call("POST", _lease_path(document["metadata"]["namespace"]), document)

    async def put_lease(self, document: Document) -> Document:
        """409 if it has changed since it was read."""
        meta = document["metadata"]
        return await self.call("PUT", _lease_path(meta["namespace"], meta["name"]), document)

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        timeout: float = _TIMEOUT_SECONDS,  # noqa: ASYNC109 the client's own, which also covers reading the answer
    ) -> Document:
        """One request. Raises ApiError for what the server refuses, UnansweredError for what the network does."""
        _, url, headers, *_ = await self._api.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            auth_settings=["BearerToken"],
        )
        if method != "GET" and not self._may_write():
            raise NotLeadingError(f"{method} {path}: not sent, the lease is not held any more")
        started, code = time.monotonic(), "none"
        try:
            # the body not through param_serialize, which looks at every value in it
            response = await self._api.call_api(method, url, headers, body, _request_timeout=timeout)
            answer = _document(await response.read())
            code = str(response.status)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise UnansweredError(f"{method} {path}: {type(error).__name__}: {error}") from error
        finally:
            verb, resource = meaning(method, path)
            self._called(Call(verb=verb, resource=resource, code=code, seconds=time.monotonic() - started))
        if response.status >= 300:  # noqa: PLR2004 the first code that is no success
            pause = retry_after(response.headers)
            raise ApiError(response.status, answer.get("reason", ""), answer.get("message", ""), pause)
        return answer

    async def _everywhere(self, api: str, plural: str, query: Mapping[str, str]) -> AsyncIterator[Document]:
        """One list of the cluster, or one of each namespace."""
        for path in [f"{api}/namespaces/{each}/{plural}" for each in self.namespaces] or [f"{api}/{plural}"]:
            async for page in self._pages(path, query):
                yield page

    async def _pages(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Document]:
        """ApiError 410 where the server has forgotten the list before its last page was read."""
        token = ""
        while True:
            asked = {**query, "limit": str(_PAGE), **({"continue": token} if token else {})}
            page = await self.call("GET", path, query=asked, timeout=_LIST_TIMEOUT_SECONDS)
            yield page
            token = page["metadata"].get("continue", "")
            if not token:
                return


def _document(text: bytes) -> Document:
    try:
        answer = json.loads(text)
    except ValueError:
        return {"message": text[:200].decode(errors="replace")}
    return answer if isinstance(answer, dict) else {}


def retry_after(headers: Mapping[str, str]) -> float:
    """Whole seconds are all that Kubernetes sends; anything else is none."""
    said = headers.get("Retry-After", "")
    return float(said) if said.isdecimal() else 0.0


def meaning(method: str, path: str) -> tuple[str, str]:
    """The verb and the resource of a request, without the names in it."""
    if path.startswith("/openapi/"):
        return "get", "openapi"
    _, namespaced, below = path.partition("/namespaces/")
    _, plural, *more = below.split("/") if namespaced else ("", path.rpartition("/")[2])
    verb = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(method)
    return verb or ("get" if more else "list"), "/".join([plural, *more[1:]])


def _build_path(namespace: str, name: str) -> str:
    return f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.PLURAL}/{name}"


def _pod_path(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/pods" + (f"/{name}" if name else "")


def _claim_path(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/persistentvolumeclaims" + (f"/{name}" if name else "")


def _lease_path(namespace: str, name: str = "") -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases" + (f"/{name}" if name else "")
