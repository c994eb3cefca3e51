"""Reads what a bug report needs from the cluster: as much of it as its user may see. Never a Secret.

What may not be read, or is not there, is noted and not an error: most users see a part only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from imagebuild.api import names
from imagebuild.cli.pages import SIZE, further, pages
from imagebuild.cli.problem import ApiError
from imagebuild.contract.layout import CONTAINER

__all__ = ["OPERATOR", "Gathered", "Source", "config_maps", "gather"]

Document = Mapping[str, Any]

OPERATOR = "imagebuild-operator"
_CRD = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{names.PLURAL}.{names.GROUP}"
_NO_ANSWER = 0
_PAGES = 10
_LOGS = 20
"""Of the newest pods."""
_LOG_QUERY = {"tailLines": "5000", "limitBytes": str(8 << 20), "timestamps": "true"}
_LOG_BYTES = 2 << 20


class Source(Protocol):
    """Of cluster.Cluster, what it takes."""

    def read(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]: ...

    def text(self, path: str, query: Mapping[str, str]) -> str: ...


@dataclass(frozen=True, slots=True)
class Gathered:
    """By the names of files."""

    documents: dict[str, Any] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    """A line for each thing that could not be read, and why."""


def gather(source: Source, namespace: str, name: str | None, operator_namespace: str) -> Gathered:
    """Of one build or of all in the namespace. Raises ApiError where the API server does not answer."""
    return _Gatherer(source, Gathered()).all(namespace, name, operator_namespace)


@dataclass(frozen=True, slots=True)
class _Gatherer:
    source: Source
    found: Gathered

    def all(self, namespace: str, name: str | None, operator_namespace: str) -> Gathered:
        self._cluster()
        self._builds(namespace, name)
        pods = self._pods(namespace, name)
        self._events(namespace, name, pods)
        self._operator(operator_namespace)
        return self.found

    def _cluster(self) -> None:
        if (version := self._read("/version")) is not None:
            self.found.documents["cluster/version.yaml"] = version
        if (crd := self._read(_CRD)) is not None:
            self.found.documents["cluster/crd.yaml"] = _summary(crd)

    def _builds(self, namespace: str, name: str | None) -> None:
        path = f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.PLURAL}"
        one = [self._read(f"{path}/{name}")] if name else self._items(path)
        for build in filter(None, one):
            self.found.documents[f"builds/{build['metadata']['name']}.yaml"] = build

    def _pods(self, namespace: str, name: str | None) -> list[str]:
        """Their names, newest first."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        chosen = f",{names.LABEL_BUILD}={names.label_value(name)}" if name else ""
        pods = list(self._items(path, labelSelector=f"{names.MANAGED_BY}={names.MANAGER}{chosen}"))
        pods.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp")), reverse=True)
        for pod in pods:
            self.found.documents[f"pods/{pod['metadata']['name']}.yaml"] = pod
        told = [str(pod["metadata"]["name"]) for pod in pods] or self._named_in_status()
        for pod_name in told[:_LOGS]:
            self._log(f"{path}/{pod_name}/log", f"pods/{pod_name}.log", container=CONTAINER)
        if len(told) > _LOGS:
            self.found.missing.append(f"logs of {len(told) - _LOGS} older pods: left out")
        return told

    def _named_in_status(self) -> list[str]:
        """Who may not list pods may still read their logs."""
        builds = (each for file, each in self.found.documents.items() if file.startswith("builds/"))
        found = (str((build.get("status") or {}).get("podName") or "") for build in builds)
        return sorted(filter(None, found))

    def _events(self, namespace: str, name: str | None, pods: Iterable[str]) -> None:
        """Of the builds and their pods, no others."""
        about = {*pods, *([name] if name else _names(self.found.documents))}
        events = self._items(f"/api/v1/namespaces/{namespace}/events")
        chosen = [each for each in events if (each.get("involvedObject") or {}).get("name") in about]
        if chosen:
            self.found.documents["events.yaml"] = {"items": chosen}

    def _operator(self, namespace: str) -> None:
        base = f"/api/v1/namespaces/{namespace}"
        deployment = self._read(f"/apis/apps/v1/namespaces/{namespace}/deployments/{OPERATOR}")
        if deployment is not None:
            self.found.documents["operator/deployment.yaml"] = deployment
            for config in config_maps(deployment):
                if (read := self._read(f"{base}/configmaps/{config}")) is not None:
                    self.found.documents[f"operator/{config}.yaml"] = read
        for pod in self._items(f"{base}/pods", labelSelector=f"app.kubernetes.io/name={OPERATOR}"):
            pod_name = pod["metadata"]["name"]
            self.found.documents[f"operator/{pod_name}.yaml"] = pod
            self._log(f"{base}/pods/{pod_name}/log", f"operator/{pod_name}.log")

    def _log(self, path: str, file: str, **query: str) -> None:
        try:
            text = self.source.text(path, {**_LOG_QUERY, **query})
        except ApiError as error:
            self._miss(path, error)
        else:
            self.found.logs[file] = text[-_LOG_BYTES:]

    def _read(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any] | None:
        try:
            return self.source.read(path, query)
        except ApiError as error:
            self._miss(path, error)
            return None

    def _items(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        page: Mapping[str, Any] = {}
        for page in islice(pages(lambda paging: self._read(path, {**query, **paging}) or {}), _PAGES):
            yield from page.get("items") or ()
        if further(page):
            self.found.missing.append(f"{path}: more than {SIZE * _PAGES}, the others are left out")

    def _miss(self, path: str, error: ApiError) -> None:
        if error.status == _NO_ANSWER:
            raise error
        why = {403: "forbidden", 404: "not there"}.get(error.status, error.message)
        self.found.missing.append(f"{path}: {why}")


def _names(documents: Mapping[str, Any]) -> list[str]:
    return [each["metadata"]["name"] for file, each in documents.items() if file.startswith("builds/")]


def _summary(crd: Document) -> dict[str, Any]:
    """Which one it is; the schema itself is known to whoever reads the report."""
    return {
        "metadata": crd["metadata"],
        "versions": [
            {key: version.get(key) for key in ("name", "served", "storage")}
            | {"schemaSha256": hashlib.sha256(json.dumps(version.get("schema"), sort_keys=True).encode()).hexdigest()}
            for version in crd["spec"]["versions"]
        ],
        "conditions": (crd.get("status") or {}).get("conditions") or [],
    }


def config_maps(deployment: Document) -> list[str]:
    volumes = deployment["spec"]["template"]["spec"].get("volumes") or []
    return sorted(volume["configMap"]["name"] for volume in volumes if volume.get("configMap"))
