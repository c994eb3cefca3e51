"""Credentials for cloud registries by the identity of the pod's service account, from docker's credential helpers.

Asked once before they are needed, so that a helper without an answer is named within seconds and not at the push;
buildctl asks the same helper again whenever it logs in, since what it answers expires. A Secret for the same host wins.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imagebuild.contract.plan import Plan
from imagebuild.contract.reasons import Reason
from imagebuild.runner import cloud, process
from imagebuild.runner.credentials import Logins, by_token, login
from imagebuild.runner.problem import Problem
from imagebuild.runner.reference import repository

__all__ = ["Identity", "dockerfile", "hosts"]

_SECONDS = 10.0
_LINE = 180
"""Of what a helper says. The end of it, where the cause is; the status has room for 500 in all."""
_DOCKERFILE_BYTES = 1 << 20
_TOKEN, _TOKEN_USER = "<token>", "00000000-0000-0000-0000-000000000000"
"""Instead of a user name: the secret is a refresh token. With this name Azure takes it as a password, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cloud:
    name: str
    helper: str
    hosts: str
    """A pattern."""
    variables: tuple[str, ...]
    """One of them is set in pods whose service account has an identity. None: it shows only when it is asked for."""
    advice: str


_CLOUDS = (
    _Cloud(
        name="AWS",
        helper="ecr-login",
        hosts=r"\d{12}\.dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\.(?:amazonaws\.(?:com(?:\.cn)?|eu)|on\.(?:aws|amazonwebservices\.com\.cn))",
        variables=("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        advice="annotate it with eks.amazonaws.com/role-arn, or give it an EKS pod identity association",
    ),
    _Cloud(
        name="Google Cloud",
        helper="gcr",
        hosts=r"(?:[a-z0-9-]+-docker|docker\.[a-z0-9-]+\.rep)\.pkg\.dev|(?:[a-z]+\.)?gcr\.io",
        variables=(),
        advice="annotate it with iam.gke.io/gcp-service-account, or grant its own principal access, in a cluster with "
        "Workload Identity Federation",
    ),
    _Cloud(
        name="Azure",
        helper="acr-env",
        hosts=r"[a-z0-9-]+\.azurecr\.(?:io|cn|us|de)",
        variables=("AZURE_FEDERATED_TOKEN_FILE",),
        advice="annotate it with azure.workload.identity/client-id, and label the pod "
        'azure.workload.identity/use: "true" (spec.pod.labels)',
    ),
)


def hosts(text: str) -> dict[str, _Cloud]:
    """The registries of clouds that a text names."""
    return {
        found: each for each in _CLOUDS for found in re.findall(rf"(?<![\w.:@-])(?:{each.hosts})(?=[/\"',\s]|$)", text)
    }


def dockerfile(plan: Plan, source: Path) -> str:
    """Its text, which names base images; nothing where there is no such file, which others say better."""
    if plan.dockerfile.inline is not None:
        return plan.dockerfile.inline
    file = (source / plan.path / plan.dockerfile.path).resolve()
    if not file.is_relative_to(source.resolve()) or not file.is_file():
        return ""
    with file.open("rb") as content:
        return content.read(_DOCKERFILE_BYTES).decode(errors="replace")


class Identity:
    """What the helpers have answered so far."""

    def __init__(
        self,
        plan: Plan,
        logins: Logins,
        env: Mapping[str, str],
        pod: Mapping[str, str] = os.environ,
        seconds: float = _SECONDS,
    ) -> None:
        """`logins`: of Secrets. `env`: of any program."""
        self._account, self._pod, self._seconds = plan.service_account, pod, seconds
        self._given, self._must = logins, {repository(image)[0] for image in plan.output.images}
        self._seen: set[str] = set()
        self._env = {**env, **cloud.identity(pod)}
        self.helpers: dict[str, str] = {}
        """By host, for buildctl."""
        self.logins: dict[str, Mapping[str, str]] = {}
        """The same hosts, as they were answered."""

    def look(self, text: str) -> None:
        """Asks for each host that the text names. Raises Problem where one that takes an image gets no credentials:
        what is only read may be open to all, and no build fails for a cache."""
        for host, each in hosts(text).items():
            if host in self._seen or login(self._given, host) or by_token(self._given, host):
                continue
            self._seen.add(host)
            try:
                self._ask(host, each)
            except Problem as problem:
                if host in self._must:
                    raise
                process.say(problem.message)

    @property
    def environment(self) -> dict[str, str]:
        """For buildctl, which starts the helpers."""
        return cloud.identity(self._pod) if self.helpers else {}

    def _ask(self, host: str, each: _Cloud) -> None:
        if not self._has(each):
            if not self._account:
                return
            raise self._refused(host, each, "has no identity", f"nothing sets {each.variables[0]}")
        user, secret = self._answer(host, each)
        self.helpers[host] = each.helper
        self.logins[host] = {"username": _TOKEN_USER if user == _TOKEN else user, "password": secret}
        process.say(f"{host}: credentials of the pod's service account at {each.name}")

    def _has(self, each: _Cloud) -> bool:
        """Where nothing but asking would tell, only who names a service account wants to."""
        return any(self._pod.get(name) for name in each.variables) if each.variables else bool(self._account)

    def _answer(self, host: str, each: _Cloud) -> tuple[str, str]:
        """By the protocol of the helpers: a host in, JSON out, or in one line why not."""
        argv = [f"docker-credential-{each.helper}", "get"]
        asked = process.start(argv, self._env, stdin=subprocess.PIPE, errors=subprocess.DEVNULL)
        try:
            said, _ = asked.communicate(host.encode(), self._seconds)
        except subprocess.TimeoutExpired as error:
            process.end(asked, patience=0)
            told = f"{host}: {argv[0]} has no answer within {self._seconds:.0f} s: does the pod reach {each.name}?"
            raise Problem(Reason.REGISTRY_UNAVAILABLE, told) from error
        if asked.returncode == 0:
            try:
                answer = json.loads(said)
                return str(answer["Username"]), str(answer["Secret"])
            except (ValueError, TypeError, KeyError):
                said = b"an answer that cannot be read"  # never the answer: it may hold a password
        line = next(iter(said.decode(errors="replace").strip().splitlines()), f"exit code {asked.returncode}")
        process.say(f"{argv[0]}: {line}")
        said_last = line if len(line) <= _LINE else f"…{line[-_LINE:]}"
        raise self._refused(host, each, f"gets no credentials from {argv[0]}", said_last)

    def _refused(self, host: str, each: _Cloud, what: str, cause: str) -> Problem:
        account = f"the service account {self._account}" if self._account else "the pod's service account"
        told = f"{account} {what} at {each.name} ({each.advice}; or name a Secret in registrySecrets): {cause}"
        return Problem(Reason.REGISTRY_UNAUTHORIZED, f"{host}: {told}")
