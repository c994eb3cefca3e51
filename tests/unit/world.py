"""A cluster in memory, small enough to be obviously right: what the stories and the random walk of decide() happen in.

It applies decisions as the controller does, one status and one pod at a time, and holds on the way that no two pods live
at once, that no name is used twice, and that deciding comes to an end.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, assert_never

import make
from imagebuild.api import names
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.status import ImageBuildStatus, Phase
from imagebuild.contract.reasons import Reason
from imagebuild.core import decision as steps
from imagebuild.core.admit import Verdict
from imagebuild.core.decide import decide, refused
from imagebuild.core.observe import State, observe
from imagebuild.core.policy import within
from make import Document

_MOST_STEPS = 12
START = Verdict(reason=Reason.STARTING)


class World:
    def __init__(self, spec: Mapping[str, Any] = make.SPEC, **config: Any) -> None:
        self.spec, self.generation = dict(spec), 1
        self.annotations, self.labels = dict[str, str](), dict[str, str]()
        self.uid, self.deleting = "build-uid", False
        self.status = ImageBuildStatus()
        self.pods: dict[str, Document] = {}
        """Pods as they are."""
        self.view: dict[str, Document] = {}
        """Pods as the operator sees them; it hears of changes when `look` says so, and of its own at once."""
        self.config = make.make_config(**config)
        self.now = 0.0
        self.slot, self.refusal = True, (Reason.BUILT, "")
        self.overtaken: Verdict | None = None
        """What admission says of a build that must end."""
        self.expired = False
        self.writes: list[ImageBuildStatus] = []
        self.created: list[str] = []
        self.recorded: set[str] = set()
        self.wake_at: datetime | None = None

    # what users and clusters do

    def edit(self, **fields: Any) -> None:
        self.spec, self.generation = {**self.spec, **fields}, self.generation + 1

    def ask_for_a_rebuild(self) -> None:
        self.annotations[names.ANNOTATION_REBUILD_AT] = make.timestamp(make.at(self.now))

    def becomes(self, status: Document, name: str | None = None) -> None:
        """The newest pod's status, and the operator hears of it."""
        name = name or self.created[-1]
        self.pods[name] = {**self.pods[name], "status": status}
        self.look()

    def vanishes(self, name: str | None = None) -> None:
        del self.pods[name or self.created[-1]]
        self.look()

    def look(self, *names_of_pods: str) -> None:
        for name in names_of_pods or {*self.pods, *self.view}:
            if name in self.pods:
                self.view[name] = self.pods[name]
            else:
                self.view.pop(name, None)

    # what the operator does

    @property
    def build(self) -> ImageBuild:
        return make.make_build(
            self.spec,
            generation=self.generation,
            annotations=self.annotations,
            labels=self.labels,
            uid=self.uid,
            deleting=self.deleting,
            status=self.status,
        )

    def live(self) -> list[str]:
        return [name for name, document in self.pods.items() if observe(document).live]

    def decide(self, *, verdict: Verdict | None = None, gone: str = "") -> steps.Decision:
        build = self.build
        return decide(build, self._context(build, verdict=verdict, gone=gone))

    def settle(self, seconds: float = 0, *, most: int = _MOST_STEPS) -> ImageBuildStatus:
        """Lets time pass, and decides until nothing is left to do; with fewer steps the operator dies in between."""
        self.now += seconds
        verdict, gone = self.overtaken, ""
        for _ in range(most):
            decision = self.decide(verdict=verdict, gone=gone)
            if isinstance(decision, steps.Queue) and self.slot and verdict is None:
                verdict = START
            elif isinstance(decision, steps.Confirm):
                assert decision.name not in self.pods, "only pods that are out of view are confirmed"
                gone = decision.name
            elif not self._apply(decision):
                return self.status
        assert most < _MOST_STEPS, "deciding does not come to an end"
        return self.status

    def _context(self, build: ImageBuild, *, verdict: Verdict | None = None, gone: str = "") -> steps.Context:
        seen = tuple(observe(document) for document in self.view.values())
        return steps.Context(
            pods=seen,
            config=within(self.config, build.namespace),
            now=make.at(self.now),
            verdict=verdict,
            gone=gone,
        )

    def _apply(self, decision: steps.Decision) -> bool:
        match decision:
            case steps.Nothing():
                return False
            case steps.Report():
                self.wake_at = decision.wake_at
                return self._write(decision.status)
            case steps.Delete():
                self.expired = True
                return False
            case steps.Queue():
                self.wake_at = decision.wake_at
                return self._write(decision.status)
            case steps.Create():
                return self._create(decision)
            case steps.Stop():
                return self._stop(decision)
            case steps.Confirm():
                raise AssertionError
            case _:
                assert_never(decision)

    def _write(self, status: ImageBuildStatus) -> bool:
        if status == self.status:
            return False
        self.status = make.make_build(status=status).status  # as it reads after it was written
        self.writes.append(self.status)
        self.recorded |= {self.status.pod_name} if self.status.pod_name else set()
        return True

    def _create(self, decision: steps.Create) -> bool:
        reason, message = self.refusal
        if message:
            wake_at = make.at(self.now + 30) if reason is Reason.QUOTA_EXCEEDED else None
            build = self.build
            return self._apply(refused(build, decision, reason, message, self._context(build), wake_at=wake_at))
        name = decision.manifest["metadata"]["name"]
        assert not self.live(), "two pods of one name never live at once"
        assert name not in self.recorded, "a name that the status knows is never used again"
        assert name not in self.pods
        self.created.append(name)
        self.pods[name] = make.stored(decision.manifest, f"uid-{len(self.created)}", self.now)
        self.look(name)
        return True

    def _stop(self, decision: steps.Stop) -> bool:
        name = decision.pod.name
        if name not in self.pods:
            self.look(name)
        elif decision.pod.state is State.RUNNING:
            metadata = self.pods[name]["metadata"]
            asked = {**metadata["annotations"], names.ANNOTATION_STOP: decision.reason.value}
            self.pods[name] = {**self.pods[name], "metadata": {**metadata, "annotations": asked}}
            self.look(name)
        else:
            self.vanishes(name)
        return True


def told(status: ImageBuildStatus) -> tuple[Phase | None, Reason | None]:
    return status.phase, status.reason


def building(world: World | None = None, **config: Any) -> World:
    """A world whose newest pod runs."""
    world = world or World(**config)
    world.settle()
    world.becomes(make.running(world.now + 1))
    world.settle(2)
    return world
