"""Answers of the API server that are no success, as sentences with a next step. Pure; cluster.py raises them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from imagebuild.api.names import GROUP, PLURAL
from imagebuild.cli.exits import Exit
from imagebuild.cli.problem import ApiError, PodRefusedError

__all__ = ["Request", "refusal"]

INSTALL = (
    "An administrator installs imagebuild with: kubectl apply --server-side -k manifests (docs/install.md). "
    "If this is the wrong cluster, choose another with --context."
)
_ROLES = {"get": "imagebuild-view", "list": "imagebuild-view", "watch": "imagebuild-view", "create": "imagebuild-build"}
_MAY_NOT = 'cannot create resource "pods"'
_PREFIX = re.compile(r'^(Invalid value: ("(?:[^"\\]|\\.)*"|[^:]*): )')
_POLICY = re.compile("^ValidatingAdmissionPolicy '[^']*' with binding '[^']*' denied request: ")
_UNKNOWN_FIELD = re.compile(r'unknown field "([^"]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    verb: str
    """Of RBAC."""
    resource: str
    namespace: str | None
    """None: all of them."""
    name: str = ""

    @property
    def where(self) -> str:
        return f"in the namespace {self.namespace}" if self.namespace else "in all namespaces"


def refusal(request: Request, status: int, answer: Mapping[str, Any]) -> ApiError:  # noqa: PLR0911  a table
    message = str(answer.get("message") or HTTPStatus(status).phrase)
    if request.verb == "create" and (of_it := _of_what_is_created(request.resource, status, answer, message)):
        return of_it
    match status:
        case 401:
            return _unknown(status)
        case 403 if "system:anonymous" in message:  # as one is without a token, also where a plugin gave none
            return _unknown(status)
        case 403:
            return _forbidden(request, message)
        case 404 if not answer.get("details"):
            return ApiError(status, f"The cluster has no ImageBuilds: {GROUP} is not installed.", INSTALL)
        case 404 if (answer["details"].get("kind")) == "namespaces":
            return no_namespace(answer["details"].get("name") or request.namespace or "")
        case 404:
            return ApiError(status, f"There is no {_singular(request)} {request.name} {request.where}.")
        case 409 if request.verb == "create":
            step = "Choose another --name, or build that one again: imagebuild rebuild " + request.name
            return ApiError(status, f"There is an ImageBuild {request.name} {request.where} already.", step)
        case 429 | 500 | 502 | 503 | 504:
            return ApiError(status, f"The API server cannot answer just now: {message}", code=Exit.INFRASTRUCTURE)
        case _:
            return ApiError(status, f"The API server refuses to {request.verb} {request.resource}: {message}")


def _of_what_is_created(resource: str, status: int, answer: Mapping[str, Any], message: str) -> ApiError | None:
    if resource == PLURAL and status in (400, 422):
        return ApiError(status, "\n".join(["The ImageBuild is refused:", *_sentences(answer, message)]))
    if resource == "pods" and status in (400, 403, 422) and _MAY_NOT not in message:
        return PodRefusedError(status, message)
    return None


def _unknown(status: int) -> ApiError:
    return ApiError(status, "The API server does not know these credentials.", "Log in to the cluster again.")


def no_namespace(name: str) -> ApiError:
    return ApiError(404, f"There is no namespace {name}.", "Name another with -n, or ask for this one to be made.")


def unanswered(host: str, error: Exception) -> ApiError:
    return ApiError(
        0,
        f"The API server {host} does not answer: {_innermost(error)}",
        "Check the network, and the context of the kubeconfig.",
        Exit.INFRASTRUCTURE,
    )


def _innermost(error: BaseException) -> str:
    """The last part of urllib3's long story."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _innermost(reason)
    return str(error).rpartition(">: ")[2] or type(error).__name__


def _forbidden(request: Request, message: str) -> ApiError:
    if "exceeded quota" in message:
        return ApiError(403, f"A quota is full {request.where}: {message.rpartition('exceeded quota: ')[2]}")
    role = _ROLES.get(request.verb, "imagebuild-edit") if request.resource == PLURAL else "imagebuild-build"
    role = "edit" if request.resource == "pods" else role
    role = "imagebuild-job-token" if request.resource == "secrets" else role
    where = f"--namespace={request.namespace}" if request.namespace else "--all-namespaces"
    binding = "kubectl create rolebinding" if request.namespace else "kubectl create clusterrolebinding"
    scope = f" {where}" if request.namespace else ""
    return ApiError(
        403,
        f"You may not {request.verb} {request.resource} {request.where}.",
        f"Ask for the role {role} there: {binding} YOU-{role} --clusterrole={role} --user=YOU{scope}",
    )


def _sentences(answer: Mapping[str, Any], message: str) -> list[str]:
    """The rules that do not hold, as the CRD says them; not the JSON around them."""
    causes = (answer.get("details") or {}).get("causes") or []
    told = ["  " + _sentence(cause.get("field") or "", cause.get("message", "")) for cause in causes]
    unknown = [f"  {path}: there is no such field" for path in _UNKNOWN_FIELD.findall(message)]
    # the schema's own complaint beside a rule's says nothing more
    return list(dict.fromkeys(told or unknown)) or [f"  {message}"]


def _sentence(field: str, message: str) -> str:
    """An admission policy names no field."""
    said = _PREFIX.sub("", _POLICY.sub("", message))
    return f"{field}: {said}" if field else said


def _singular(request: Request) -> str:
    return {PLURAL: "ImageBuild", "pods": "pod", "pods/log": "pod"}.get(request.resource, request.resource)
