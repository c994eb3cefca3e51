"""The API server: every request that the commands make. The only importer of `kubernetes`, and their only I/O to it.

What it needs is create, get, list and watch on imagebuilds and get on pods/log; patch for `cancel` and its like; and
create, get and delete on pods for `doctor`.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.config import kube_config

from imagebuild.api import names
from imagebuild.cli import refusals
from imagebuild.cli.exits import Exit
from imagebuild.cli.pages import pages
from imagebuild.cli.problem import ApiError, Problem
from imagebuild.cli.refusals import Request

Document = dict[str, Any]

_TIMEOUT_SECONDS = 30.0
_WATCH_SECONDS = 240
"""How long the server keeps a watch open: shorter than what load balancers between here and there have patience for."""
_SILENCE_SECONDS = 60.0
"""After that long without a line the log is asked for anew: nobody can tell a quiet build from a dead connection."""
_PAUSES = (1.0, 4.0)
"""Before what had no answer is sent again."""
_CONFLICT = 409
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_NO_CLUSTER = "Set KUBECONFIG or --kubeconfig to a file that `kubectl get ns` works with, or run in a pod."
_MERGE_PATCH = "application/merge-patch+json"


class Cluster:
    def __init__(self, configuration: client.Configuration, namespace: str, *, in_pod: bool = False) -> None:
        self._api = client.ApiClient(configuration)
        self.namespace = namespace
        self.in_pod = in_pod
        """This process runs in a pod of the cluster, and is its service account."""

    @classmethod
    def connect(cls, kubeconfig: str | None, context: str | None, namespace: str | None) -> Cluster:
        """As kubectl does: the kubeconfig if there is one, else the pod's service account."""
        configuration = client.Configuration()
        named = bool(kubeconfig or context or _has_kubeconfig())
        try:
            if named:
                found = _from_kubeconfig(configuration, kubeconfig, context)
            else:
                config.load_incluster_config(client_configuration=configuration)
                found = _NAMESPACE_FILE.read_text().strip()
        except (config.ConfigException, OSError) as error:
            in_vain = "there is no kubeconfig, and this is no pod" if "Service host/port" in str(error) else error
            raise Problem(f"No cluster is named: {in_vain}.", _NO_CLUSTER) from error
        except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            file = kubeconfig or kube_config.KUBE_CONFIG_DEFAULT_LOCATION
            told = f": {error}" if isinstance(error, yaml.YAMLError) else "."
            raise Problem(f"{file} is no kubeconfig{told}", _NO_CLUSTER) from error
        return cls(configuration, namespace or found, in_pod=not named)

    def builds(self, namespace: str | None) -> list[Document]:
        """Of one namespace, or of all."""
        wanted = Request(verb="list", resource=names.PLURAL, namespace=namespace)
        return [build for page in pages(lambda query: self._json(wanted, query=query)) for build in page["items"]]

    def build(self, name: str) -> Document:
        return self._json(Request(verb="get", resource=names.PLURAL, namespace=self.namespace, name=name))

    def create(
        self,
        document: Mapping[str, Any],
        *,
        dry_run: bool = False,
        pauses: Sequence[float] = _PAUSES,
        sleep: Callable[[float], Any] = time.sleep,
    ) -> Document:
        """An ImageBuild or a Secret. With `dry_run`, the server checks it and keeps nothing. Fields that the CRD has
        not are refused. What has no answer is sent again: the name is known, so that makes no second build.
        """
        name, is_build = document["metadata"]["name"], document.get("kind") != "Secret"
        query = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        resource = names.PLURAL if is_build else "secrets"
        request = Request(verb="create", resource=resource, namespace=self.namespace, name=name)
        try:
            return self._json(request, query=query, body=document)
        except ApiError as error:
            if error.exit_code != Exit.INFRASTRUCTURE or not pauses:
                raise
        sleep(pauses[0])
        try:
            return self.create(document, dry_run=dry_run, pauses=pauses[1:], sleep=sleep)
        except ApiError as error:
            if error.status != _CONFLICT or not is_build or not _same(made := self.build(name), document):
                raise
            return made

    def create_pod(self, document: Mapping[str, Any]) -> Document:
        """Raises PodRefusedError where admission does not take it."""
        name = document["metadata"]["name"]
        return self._json(Request(verb="create", resource="pods", namespace=self.namespace, name=name), body=document)

    def delete_pod(self, name: str, *, grace: int) -> None:
        request = Request(verb="delete", resource="pods", namespace=self.namespace, name=name)
        self._json(request, query={"gracePeriodSeconds": str(grace)})

    def patch(self, name: str, patch: Mapping[str, Any]) -> Document:
        request = Request(verb="patch", resource=names.PLURAL, namespace=self.namespace, name=name)
        return self._json(request, body=patch)

    def watch(self, name: str, resource_version: str) -> Iterator[tuple[str, Document]]:
        """What happens to one ImageBuild after that version, until the server ends it. ApiError 410: begin anew."""
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        request = Request(verb="watch", resource=names.PLURAL, namespace=self.namespace)
        for line in self._lines(request, query, _WATCH_SECONDS + _TIMEOUT_SECONDS):
            yield self._event(request, line)

    def log(self, pod: str, container: str, *, since: str | None, follow: bool) -> Iterator[bytes]:
        """Lines with their timestamps and line ends. `since`: a time, RFC 3339."""
        query = {
            "container": container,
            "timestamps": "true",
            **({"sinceTime": since} if since else {}),
            **({"follow": "true"} if follow else {}),
        }
        request = Request(verb="get", resource="pods/log", namespace=self.namespace, name=pod)
        return self._lines(request, query, _SILENCE_SECONDS if follow else _TIMEOUT_SECONDS)

    def read(self, path: str, query: Mapping[str, str] | None = None) -> Document:
        """Anything else, by its path."""
        return self._json(Request(verb="get", resource=path, namespace=None), query=query)

    def rules(self, namespace: str) -> Document:
        """What the user may do in a namespace; everybody may ask that."""
        path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
        return self._json(
            Request(verb="create", resource=path, namespace=None), body={"spec": {"namespace": namespace}}
        )

    def text(self, path: str, query: Mapping[str, str]) -> str:
        """As `read`, of what is no document: a log."""
        request = Request(verb="get", resource=path, namespace=None)
        return b"".join(self._lines(request, query, _TIMEOUT_SECONDS)).decode(errors="replace")

    def check_namespace(self) -> None:
        """Raises where there is no such namespace; who may not look at namespaces learns nothing."""
        try:
            self._json(Request(verb="get", resource="namespaces", namespace=None, name=self.namespace))
        except ApiError as error:
            if error.status == 404:  # noqa: PLR2004 Not Found
                raise refusals.no_namespace(self.namespace) from error

    def _json(
        self, request: Request, *, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> Document:
        response = self._send(request, query or {}, body, _TIMEOUT_SECONDS)
        with self._answers():
            answer: Document = json.loads(response.data)
        return answer

    def _lines(self, request: Request, query: Mapping[str, str], timeout: float | None) -> Iterator[bytes]:
        """The last one may have no line end, where the connection broke or the writer wrote none."""
        response = self._send(request, query, None, timeout)
        rest = b""
        try:
            with self._answers():
                for chunk in response.stream(None, decode_content=True):
                    *lines, rest = (rest + chunk).split(b"\n")
                    yield from (line + b"\n" for line in lines)
                if rest:
                    yield rest
        finally:
            response.close()

    def _event(self, request: Request, line: bytes) -> tuple[str, Document]:
        """What is none is no answer: the half of a line, where the connection broke, or the words of a proxy."""
        match _document(line):
            case {"type": "ERROR", "object": {"code": int(code)} as said}:
                raise refusals.refusal(request, code, said)
            case {"type": str(kind), "object": dict(found)} if kind != "ERROR":
                return kind, found
        raise refusals.unanswered(self._api.configuration.host, ValueError("what it sends is no event"))

    def _send(
        self, request: Request, query: Mapping[str, str], body: Mapping[str, Any] | None, timeout: float | None
    ) -> urllib3.BaseHTTPResponse:
        method = {"create": "POST", "patch": "PATCH", "delete": "DELETE"}.get(request.verb, "GET")
        kind = _MERGE_PATCH if method == "PATCH" else "application/json"
        _, url, headers, *_ = self._api.param_serialize(
            method,
            _path(request),
            query_params=list(query.items()),
            header_params={"Accept": "application/json, */*", "Content-Type": kind},
            auth_settings=["BearerToken"],
        )
        limits = (_TIMEOUT_SECONDS, timeout)
        with self._answers():
            response: urllib3.BaseHTTPResponse = self._api.call_api(
                method, url, headers, body, _request_timeout=limits
            ).response
            if response.status >= 300:  # noqa: PLR2004 the first code that is no success
                raise refusals.refusal(request, response.status, _document(response.data))
        return response

    @contextlib.contextmanager
    def _answers(self) -> Iterator[None]:
        try:
            yield
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise refusals.unanswered(self._api.configuration.host, error) from error


def _same(made: Document, wanted: Mapping[str, Any]) -> bool:
    """Ours, and not somebody else's of the same name."""
    return bool(made.get("spec") == wanted["spec"])


def _has_kubeconfig() -> bool:
    return any(Path(part).expanduser().exists() for part in kube_config.KUBE_CONFIG_DEFAULT_LOCATION.split(os.pathsep))


def _from_kubeconfig(configuration: client.Configuration, file: str | None, context: str | None) -> str:
    """Fills the configuration; gives the namespace that the context names."""
    contexts, current = config.list_kube_config_contexts(file)
    chosen = next((each for each in contexts if each["name"] == context), None) if context else current
    if chosen is None:
        known = ", ".join(each["name"] for each in contexts) or "none"
        raise Problem(f"There is no context {context} in the kubeconfig.", f"There are: {known}.")
    _refuse_impersonation(file, chosen["context"].get("user") or "")
    config.load_kube_config(file, context, client_configuration=configuration)
    return str(chosen["context"].get("namespace") or "default")


def _refuse_impersonation(file: str | None, user: str) -> None:
    """The client leaves `as` out without a word, and would do all with the rights of who is behind it."""
    merged = config.kube_config.KubeConfigMerger(file or config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION)
    users = [each.value for each in merged.config.value.get("users") or ()]
    settings = next((each.get("user") for each in users if each.get("name") == user), None) or {}
    if acted := settings.get("as"):
        raise Problem(
            f"The kubeconfig's user {user} acts as {acted}, which imagebuild cannot.",
            f"Take a kubeconfig of {acted}'s own, or `kubectl proxy` with this one and a kubeconfig for the proxy.",
        )


def _path(request: Request) -> str:
    if request.resource.startswith("/"):
        return request.resource
    if request.resource == "namespaces":
        return f"/api/v1/namespaces/{request.name}"
    resource, _, below = request.resource.partition("/")
    base = f"/apis/{names.API_VERSION}" if resource == names.PLURAL else "/api/v1"
    namespaced = f"/namespaces/{request.namespace}" if request.namespace else ""
    # the name of what is created is in its document
    named = f"/{request.name}" if request.name and request.verb != "create" else ""
    return f"{base}{namespaced}/{resource}{named}" + (f"/{below}" if below else "")


def _document(text: bytes) -> Document:
    try:
        answer = json.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
