"""A cluster with operators in it, for one test: the real operator (operators.py), everything else played."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import make
from controller.fakeapi import ApiServer
from controller.kubelet import Kubelet
from controller.objects import BUILDS, LEASES, PODS, Change, Document, Key
from controller.operators import HOME, LEASE, Operator
from imagebuild.api import names
from imagebuild.contract.reasons import Reason
from imagebuild.controller.lease import LeasePace
from imagebuild.controller.pace import Pace

QUICK = Pace(config=0.02, reconnect=0.02, attempt=0.02, quota=0.02, error=0.01, longest_error=0.1, relisted=300)
"""A pace for tests, with no sweep after the first one, which would mend what a test wants to see broken."""
RELISTING = replace(QUICK, relisted=0.02)
SWEEPING = replace(RELISTING, sweep=0.05)


UNHURRIED = LeasePace(retry=0.05)
"""No test waits until this one has run out."""
HASTY = LeasePace(duration=4, deadline=2.5, retry=0.05)
"""To be waited out. Shorter, and a leader on a busy machine loses it by itself."""


OTHER = {**make.SPEC, "args": {"VERSION": "2"}}
"""Other inputs than make.SPEC."""


class Stage:
    def __init__(self, api: ApiServer, config: Path) -> None:
        self.api, self.objects, self.kubelet = api, api.objects, Kubelet(api.objects)
        self.config = config
        self._canaries = itertools.count(1)
        self.operators: list[Operator] = []
        self._read: dict[Key, int] = defaultdict(int)
        self.configure()

    def configure(self, **given: Any) -> None:
        self.write_config(json.dumps({"builder": {"image": "registry.example.com/builder:1"}, **given}).encode())

    def write_config(self, content: bytes | None) -> None:
        """At once, as the kubelet changes a mounted ConfigMap. None: the file is gone."""
        if content is None:
            self.config.unlink()
            return
        new = self.config.with_suffix(".new")
        new.write_bytes(content)
        new.replace(self.config)

    async def operator(self, pace: Pace = QUICK, election: LeasePace | None = None) -> Operator:
        """Started, and watching."""
        self.api.cut(BUILDS)
        self.api.cut(PODS)
        operator = self.starting(pace, election)
        await self.watching()
        return operator

    async def standby(self, election: LeasePace) -> Operator:
        """Another one, while the first one leads."""
        operator = self.starting(QUICK, election)
        await operator.says("readyz", "200 ok")
        return operator

    async def limited(self, *namespaces: str) -> Operator:
        """One that works in these namespaces only."""
        operator = self.starting(QUICK, None, namespaces)
        await operator.says("readyz", "200 ok")
        return operator

    def starting(self, pace: Pace, election: LeasePace | None, namespaces: tuple[str, ...] = ()) -> Operator:
        number = len(self.operators) + 1
        self.operators.append(Operator(self.api.url, self.config, pace, election, number, namespaces=namespaces))
        return self.operators[-1]

    def leader(self) -> str:
        """Who holds the lease."""
        lease = self.objects.kept[LEASES].get((HOME, LEASE), {"spec": {}})
        return str(lease["spec"].get("holderIdentity", ""))

    async def led_by(self, operator: Operator) -> None:
        await self.api.until(f"{operator.name} to lead", lambda: self.leader() == operator.name)
        await operator.says("readyz", "200 ok")

    async def watching(self) -> None:
        await self.api.until("both watches", lambda: self.api.watched(BUILDS) and self.api.watched(PODS))

    async def close(self) -> None:
        for operator in self.operators:
            await operator.kill()

    # what users do

    def apply(self, name: str = "shop", spec: Mapping[str, Any] = make.SPEC, **metadata: Any) -> Document:
        """As kubectl apply: creates it, or changes the spec and the annotations."""
        key = (metadata.pop("namespace", "team-a"), name)
        given = {"metadata": {"namespace": key[0], "name": name, **metadata}, "spec": dict(spec)}
        if key not in self.objects.kept[BUILDS]:
            return self.objects.create(BUILDS, given)
        old = self.objects.get(BUILDS, key)
        return self.objects.replace(BUILDS, key, {**old, **given})

    def annotate(self, name: str = "shop", **annotations: str) -> Document:
        old = self.objects.get(BUILDS, ("team-a", name))
        said = {f"{names.GROUP}/{word.replace('_', '-')}": value for word, value in annotations.items()}
        return self.objects.replace(
            BUILDS, ("team-a", name), {**old, "metadata": {**old["metadata"], "annotations": said}}
        )

    def delete(self, name: str = "shop", namespace: str = "team-a") -> None:
        self.objects.delete(BUILDS, (namespace, name))

    # what can be seen

    def status(self, name: str = "shop", namespace: str = "team-a") -> Document:
        found: Document = self.objects.get(BUILDS, (namespace, name)).get("status") or {}
        return found

    def pods(self, name: str = "shop", namespace: str = "team-a") -> list[Document]:
        """Of the ImageBuilds that have this name, the oldest first."""
        found = [
            pod
            for (place, _), pod in self.objects.kept[PODS].items()
            if place == namespace and pod["metadata"].get("labels", {}).get(names.LABEL_BUILD) == name
        ]
        return sorted(found, key=lambda pod: int(pod["metadata"]["uid"].rpartition("-")[2]))

    async def reaches(self, name: str = "shop", namespace: str = "team-a", **fields: Any) -> Document:
        """The first status with these fields, from the last one on that a test was given. It may be over already."""
        key = (namespace, name)

        def found() -> Document | None:
            for change in self.objects.changes[self._read[key] :]:
                status = self._status_in(change, key)
                if status is not None and all(status.get(field) == value for field, value in fields.items()):
                    return status
                self._read[key] += 1
            return None

        status = await self.api.until(f"{namespace}/{name} with {fields}", found)
        assert status is not None
        return status

    def _status_in(self, change: Change, key: Key) -> Document | None:
        """None where the change is not one of the ImageBuild that has this name now."""
        now = self.objects.kept[BUILDS].get(key)
        if change.new is None or now is None or change.new["metadata"]["uid"] != now["metadata"]["uid"]:
            return None
        return change.new.get("status") or {"phase": None}

    async def pod(self, number: int = 1, name: str = "shop", namespace: str = "team-a") -> Document:
        """The ImageBuild's nth pod, as soon as it is there."""
        enough = f"{namespace}/{name} with {number} pods"
        await self.api.until(enough, lambda: len(self.pods(name, namespace)) >= number)
        return self.pods(name, namespace)[number - 1]

    async def running(self, number: int = 1, name: str = "shop", **fields: Any) -> str:
        """The name of the ImageBuild's nth pod, started, and its status written."""
        pod: str = (await self.pod(number, name))["metadata"]["name"]
        await self.reaches(name, podName=pod)
        self.kubelet.start(pod)
        await self.reaches(name, podName=pod, phase="Running", **fields)
        return pod

    async def succeeds(self, number: int = 1, name: str = "shop", status: Document | None = None) -> Document:
        self.kubelet.end(await self.running(number, name), status)
        return await self.reaches(name, phase="Succeeded")

    async def asked_to_stop(self, pod: str, reason: str, namespace: str = "team-a") -> None:
        """The pod runs and has been told why it is to end."""

        def told() -> bool:
            metadata = self.objects.get(PODS, (namespace, pod))["metadata"]
            return bool(metadata["annotations"].get(names.ANNOTATION_STOP) == reason)

        await self.api.until(f"{pod} asked to stop: {reason}", told)

    async def more_requests(self, number: int) -> None:
        """So many more, or all builds are done."""
        enough, builds = len(self.api.requests) + number, self.objects.kept[BUILDS]

        def done() -> bool:
            over = all(build.get("status", {}).get("phase") == "Succeeded" for build in builds.values())
            return over or len(self.api.requests) >= enough

        await self.api.until(f"{number} requests", done)

    async def settled(self) -> None:
        """Everything that has happened so far is done with: a build that came after it has gone all its way."""
        name = f"canary-{next(self._canaries)}"
        key: Key = ("team-z", name)
        self.apply(name, namespace=key[0])
        pod = (await self.pod(name=name, namespace=key[0]))["metadata"]["name"]
        self.kubelet.start(pod, key[0])
        self.kubelet.end(pod, namespace=key[0])
        await self.reaches(name, key[0], phase="Succeeded", reason=Reason.BUILT)
