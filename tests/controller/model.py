"""A cluster in memory for the state machine of test_model: truth, what an operator hears of it, and one operator.

The operator is the real one without kopf and without a network: Store, Slots and Reconciler on a cluster that answers at
once. The clock is the model's own.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import make
from imagebuild.api import names
from imagebuild.api.config import OperatorConfig
from imagebuild.api.imagebuild import parse
from imagebuild.controller.claims import ClaimKeeper
from imagebuild.controller.cluster import ApiError, Cluster, UnansweredError
from imagebuild.controller.pace import Pace
from imagebuild.controller.queue import WorkQueue
from imagebuild.controller.reconcile import Reconciler
from imagebuild.controller.slots import Slots
from imagebuild.controller.store import Listed, Store
from imagebuild.core.admit import Key
from imagebuild.core.observe import observe
from imagebuild.core.policy import within
from make import Document

BUILD, POD = "build", "pod"


@dataclass(slots=True)
class Truth:
    """What the API server holds. Its checks are the promises that must hold whatever happens."""

    builds: dict[str, Document] = field(default_factory=dict)
    pods: dict[str, Document] = field(default_factory=dict)
    recorded: set[str] = field(default_factory=set)
    """Names of pods that a status has ever named."""
    created: int = 0
    digests: dict[str, tuple[str, int]] = field(default_factory=dict)
    """What was pushed: by which ImageBuild's which run."""
    now: float = 0.0
    version: int = 100
    fault: str = ""
    """What becomes of the next write: refused, or carried out and never answered."""
    listeners: list[Callable[[str, str, Document], None]] = field(default_factory=list)

    def put(self, kind: str, document: Document) -> Document:
        self.version += 1
        meta = {**document["metadata"], "resourceVersion": str(self.version)}
        kept = {**document, "metadata": meta}
        place = self.builds if kind == BUILD else self.pods
        event = "MODIFIED" if meta["name"] in place else "ADDED"
        place[meta["name"]] = kept
        self._tell(kind, event, kept)
        return kept

    def remove(self, kind: str, name: str) -> None:
        self.version += 1
        gone = (self.builds if kind == BUILD else self.pods).pop(name)
        meta = {**gone["metadata"], "resourceVersion": str(self.version)}
        self._tell(kind, "DELETED", {**gone, "metadata": meta})

    def live(self, build: str | None = None) -> list[str]:
        return [
            name
            for name, pod in self.pods.items()
            if observe(pod).live and build in (None, pod["metadata"]["labels"][names.LABEL_BUILD])
        ]

    def _tell(self, kind: str, event: str, document: Document) -> None:
        for listener in self.listeners:
            listener(kind, event, document)


class FakeCluster(Cluster):
    """The calls that the reconciler makes, answered by Truth, with the API server's preconditions."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth

    async def build(self, namespace: str, name: str) -> Document:
        return self._get(self._truth.builds, name)

    async def pod(self, namespace: str, name: str) -> Document:
        return self._get(self._truth.pods, name)

    async def put_status(self, build: Any, status: Document) -> Document:
        old = self._get(self._truth.builds, build["name"])
        if (old["metadata"]["uid"], old["metadata"]["resourceVersion"]) != (build["uid"], build["resourceVersion"]):
            raise ApiError(409, "Conflict", "the object has been modified")
        check_status(self._truth, old, status)

        def update() -> Document:
            self._truth.recorded |= {status["podName"]} if "podName" in status else set()
            return self._truth.put(BUILD, {**old, "status": status})

        return self._write(update)

    async def create_pod(self, manifest: Document) -> Document:
        name, build = manifest["metadata"]["name"], manifest["metadata"]["labels"][names.LABEL_BUILD]
        if name in self._truth.pods:
            raise ApiError(409, "AlreadyExists", f"pods {name} already exists")

        def create() -> Document:
            assert not self._truth.live(build), f"two live pods of {build}"
            assert name not in self._truth.recorded, f"{name} is used twice"
            self._truth.created += 1
            return self._truth.put(POD, make.stored(manifest, f"pod-{self._truth.created}", self._truth.now))

        return self._write(create)

    async def patch_pod(self, namespace: str, name: str, uid: str, patch: Document) -> Document:
        old = self._guarded(name, uid)
        annotations = {**old["metadata"]["annotations"], **patch["metadata"]["annotations"]}
        new = {**old, "metadata": {**old["metadata"], "annotations": annotations}}
        return self._write(lambda: self._truth.put(POD, new))

    async def delete_pod(self, namespace: str, name: str, uid: str) -> Document:
        """One that runs ends first; any other is gone at once."""
        old = self._guarded(name, uid)
        if observe(old).live and "containerStatuses" in old["status"]:
            ending = {**old["metadata"], "deletionTimestamp": make.timestamp(make.at(self._truth.now))}
            return self._write(lambda: self._truth.put(POD, {**old, "metadata": ending}))
        return self._write(lambda: self._truth.remove(POD, name) or old)  # type: ignore[func-returns-value]

    def _guarded(self, name: str, uid: str) -> Document:
        old = self._get(self._truth.pods, name)
        if old["metadata"]["uid"] != uid:
            raise ApiError(409, "Conflict", "another uid")
        return old

    def _get(self, place: dict[str, Document], name: str) -> Document:
        if name not in place:
            raise ApiError(404, "NotFound", name)
        return place[name]

    def _write(self, do: Callable[[], Document]) -> Document:
        fault, self._truth.fault = self._truth.fault, ""
        if fault == "refused":
            raise ApiError(500, "InternalError", "etcd is slow")
        answer = do()
        if fault == "unanswered":
            raise UnansweredError("cut")
        return answer


def check_status(truth: Truth, old: Document, new: Document) -> None:
    """No status goes backwards, and none takes over what another run has pushed."""
    before, run = old.get("status") or {}, new["run"]["number"]
    was = before.get("run", {}).get("number", 0)
    assert was <= run, "a run that is over never comes back"
    if was == run and before["phase"] in ("Succeeded", "Failed"):
        assert [before.get(key) for key in ("phase", "reason", "output")] == [
            new.get(key) for key in ("phase", "reason", "output")
        ], "an end is final"
    if digest := new.get("output", {}).get("digest"):
        assert truth.digests[digest] == (old["metadata"]["uid"], run), "a digest is its own run's"


class Keys(WorkQueue):
    """Keys and timers, taken by hand."""

    def __init__(self, truth: Truth) -> None:
        super().__init__(Pace())
        self._truth = truth
        self.keys: dict[Key, None] = {}
        self.timers: dict[Key, datetime] = {}

    def add(self, key: Key, *, later: bool = False) -> None:
        self.keys[key] = None

    def plan(self, key: Key, moment: datetime | None) -> None:
        self.timers.pop(key, None)
        if moment is not None:
            self.timers[key] = moment

    def due(self) -> None:
        for key, moment in list(self.timers.items()):
            if moment <= make.at(self._truth.now):
                del self.timers[key]
                self.add(key)


class Operator:
    """Hears of changes late, or never until it lists everything again."""

    def __init__(self, truth: Truth, config: Callable[[], OperatorConfig]) -> None:
        self._truth = truth
        self.store, self.queue = Store(), Keys(truth)
        clock = lambda: make.at(truth.now)  # noqa: E731
        self.slots = Slots(self.store, self.queue, config, 1, clock)
        self.unheard: list[tuple[str, str, Document]] = []
        truth.listeners[:] = [lambda *event: self.unheard.append(event)]
        self._reconciler = Reconciler(
            FakeCluster(truth),
            self.store,
            self.queue,
            self.slots,
            lambda namespace: within(config(), namespace),
            claims=ClaimKeeper(FakeCluster(truth), self.store, config),
            pace=Pace(),
            written=lambda build, status: None,
            clock=clock,
        )
        self.relist()

    def relist(self) -> None:
        self.unheard.clear()
        builds, pods = Listed(self.store.put_build), Listed(self.store.put_pod)
        for listed, documents in ((builds, self._truth.builds), (pods, self._truth.pods)):
            metadata = {"resourceVersion": str(self._truth.version)}
            for key in listed.add({"metadata": metadata, "items": list(documents.values())}):
                self._news(key)
        for key in self.store.keep_builds(builds) | self.store.keep_pods(pods):
            self._news(key)

    def reconfigured(self) -> None:
        for build in self.store.unfinished():
            self._news((build.namespace, build.name))

    def hear(self, number: int) -> None:
        for kind, event, document in list(itertools.islice(self.unheard, number)):
            take = {
                (BUILD, False): self.store.put_build,
                (BUILD, True): self.store.drop_build,
                (POD, False): self.store.put_pod,
                (POD, True): self.store.drop_pod,
            }[kind, event == "DELETED"]
            if (key := take(document)) is not None:
                self._news(key)
        del self.unheard[:number]

    def work(self, number: int) -> None:
        """So many keys; one that fails comes again."""
        self.queue.due()
        for _ in range(number):
            self.slots.judge()
            if not self.queue.keys:
                return
            key = next(iter(self.queue.keys))
            del self.queue.keys[key]
            try:
                asyncio.run(self._reconciler.reconcile(key))
            except (ApiError, UnansweredError):
                self.queue.add(key)

    def _news(self, key: Key) -> None:
        self.queue.add(key)
        self.slots.poke()


def finished(document: Document) -> bool:
    return parse(document).finished
