"""The API server: every call the operator makes, and the permissions that they need. The only importer of `kubernetes`.

Documents go in and out as they are, not through the client's typed models: those refuse fields newer than the client.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
from kubernetes.aio import client, config

from imagebuild.api import names

Document = dict[str, Any]

PERMISSIONS = {
    (names.GROUP, names.PLURAL): {"get", "list", "watch"},
    (names.GROUP, f"{names.PLURAL}/status"): {"update"},
    ("", "pods"): {"create", "get", "list", "watch", "patch", "delete"},
}
"""What manifests/operator/rbac.yaml grants, by API group and resource; a test compares the two."""

_TIMEOUT_SECONDS = 10.0
_LIST_TIMEOUT_SECONDS = 60.0
_PAGE = 500
_BUILDS = f"/apis/{names.API_VERSION}/{names.PLURAL}"
_PODS = "/api/v1/pods"
_MERGE_PATCH = "application/merge-patch+json"


class ClusterError(Exception):
    """The world's fault; whatever was to be done is tried again."""


class NoClusterError(Exception):
    """There are no credentials for any API server."""


class UnansweredError(ClusterError):
    """There was no answer: whether the request was carried out is not known."""


class ApiError(ClusterError):
    """The API server answered with an error: its code, its reason in one word, and its sentence."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code, self.reason, self.message = code, reason, message


class Cluster:
    def __init__(self, configuration: client.Configuration) -> None:
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

    async def close(self) -> None:
        await self._api.close()

    def builds(self) -> AsyncIterator[Document]:
        """All ImageBuilds, a List document a page."""
        return self._pages(_BUILDS, {})

    def pods(self) -> AsyncIterator[Document]:
        """All build pods, a List document a page."""
        return self._pages(_PODS, {"labelSelector": f"{names.MANAGED_BY}={names.MANAGER}"})

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
        try:
            # the body not through param_serialize, which looks at every value in it
            response = await self._api.call_api(method, url, headers, body, _request_timeout=timeout)
            answer = _document(await response.read())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise UnansweredError(f"{method} {path}: {type(error).__name__}: {error}") from error
        if response.status >= 300:  # noqa: PLR2004 the first code that is no success
            raise ApiError(response.status, answer.get("reason", ""), answer.get("message", ""))
        return answer

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


def _build_path(namespace: str, name: str) -> str:
    return f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.PLURAL}/{name}"


def _pod_path(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/pods" + (f"/{name}" if name else "")
