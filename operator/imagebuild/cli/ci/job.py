"""A job that builds: from its variables to an ImageBuild that goes when the job goes, and its credentials with it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagebuild.cli.ci import credentials, filling, github, gitlab, hints, identity
from imagebuild.cli.ci.facts import Facts, plain
from imagebuild.cli.ci.pod import Pod, here
from imagebuild.cli.files import read_text
from imagebuild.cli.problem import ApiError
from imagebuild.cli.terminal import Screen
from imagebuild.cli.view import View

if TYPE_CHECKING:
    from imagebuild.cli.cluster import Cluster

__all__ = ["Job", "detect"]

Document = dict[str, Any]

_FORBIDDEN, _CONFLICT = 403, 409
_TRIES = 20
"""How often one job may build the same in vain."""


def detect(environ: Mapping[str, str]) -> Facts | None:
    """Reads the event that GitHub has put into a file."""
    found = gitlab.facts(environ) or github.facts(environ, _event(environ)) or plain(environ)
    return found and replace(found, traceparent=environ.get("TRACEPARENT", ""))


def _event(environ: Mapping[str, str]) -> Mapping[str, Any]:
    try:
        found = json.loads(Path(environ["GITHUB_EVENT_PATH"]).read_text())
    except (KeyError, OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class Job:
    def __init__(self, facts: Facts, pod: Pod | None, given: Mapping[str, Any], screen: Screen, *, stays: bool) -> None:
        """`pod`: where this process runs. `stays`: the build is not waited for, and outlives the job."""
        self._facts, self._pod, self._screen, self._stays = facts, pod, screen, stays
        self._named = given["name"] or given["generate_name"]
        self._token, self._login = given["job_token"], given["registry_login"]
        self.joined = False
        """The ImageBuild was there before."""
        self._crossed = False
        """Credentials of the job are in Secrets of the build."""

    @classmethod
    def here(cls, given: Mapping[str, Any], screen: Screen, *, stays: bool) -> Job | None:
        facts = detect(os.environ) if given["ci"] else None
        if facts is not None:
            return cls(facts, here(), given, screen, stays=stays)
        if given["job_token"] or given["registry_login"]:
            raise click.UsageError("--job-token and --registry-login are for CI jobs, and this is none.")
        return None

    def filled(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        return filling.filled(given, self._facts, self._screen)

    def create(self, cluster: Cluster, document: Document) -> Document:
        """The ImageBuild as the server has it: new, or that of an earlier call in the same job."""
        spec, metadata = filling.with_base(document["spec"], self._facts), document["metadata"]
        owner = self._owner(cluster)
        metadata = identity.metadata(metadata, self._facts, owner)
        stem = metadata["name"] if self._named else identity.name(self._facts, self._pod, spec)
        for number in range(1, _TRIES):
            name = stem if number == 1 else f"{stem}-{number}"
            made = self._made(cluster, {**document, "metadata": {**metadata, "name": name}, "spec": spec})
            if made is not None:
                return made
        raise click.UsageError(f"This job has built the same {_TRIES} times in vain.")

    def hint(self, build: View) -> None:
        if text := hints.credentials(self._facts, build, crossed=self._crossed):
            self._screen.say(text, "yellow")

    def _owner(self, cluster: Cluster) -> Pod | None:
        if self._stays:
            self._screen.say("--detach: the build outlives this job, and has none of its credentials.")
        elif self._pod is not None and cluster.in_pod:
            if self._pod.namespace == cluster.namespace:
                return self._pod
            said = f"the job's pod is in {self._pod.namespace}, the build in {cluster.namespace}"
            self._screen.say(f"{said}: it does not go with the job, but --ttl after its end.")
        return None

    def _made(self, cluster: Cluster, document: Document) -> Document | None:
        """None where the name is that of a build which has failed: one more try has another name."""
        name = document["metadata"]["name"]
        secrets = self._secrets(cluster, name, document["spec"])
        wanted = {**document, "spec": credentials.with_secrets(document["spec"], secrets)}
        try:
            made = cluster.create(wanted)
        except ApiError as error:
            if error.status != _CONFLICT or self._named:
                raise
            made = cluster.build(name)
            if View(made).phase == "Failed":
                return None
            self.joined = True
            self._screen.say(f"This job has begun {name} before: going on with it", "bold")
        for secret in secrets:
            self._give(cluster, credentials.owned(secret, made))
        self._crossed = bool(secrets)
        return made

    def _secrets(self, cluster: Cluster, name: str, spec: Mapping[str, Any]) -> list[Document]:
        """Those that are to cross, once it is known that they may."""
        token = not (self._stays or self._token is False)
        git = credentials.git_login(spec, self._facts) if token else None
        registries = credentials.registry_auths(spec, self._facts) if token else {}
        if self._login and not self._stays:
            registries = credentials.read(read_text(self._login, "'--registry-login'"))
        wanted = credentials.secrets(name, git, registries)
        try:
            for secret in wanted:
                cluster.create(secret, dry_run=True)
        except ApiError as error:
            if error.status == _CONFLICT:
                return wanted
            if error.status != _FORBIDDEN or self._token or self._login:
                raise
            self._screen.say(f"This job's token stays here. {error.message} {error.next_step}", "yellow")
            return []
        return wanted

    def _give(self, cluster: Cluster, secret: Document) -> None:
        try:
            cluster.create(secret)
        except ApiError as error:
            if error.status != _CONFLICT:
                raise
