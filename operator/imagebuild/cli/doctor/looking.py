"""Probe pods from creation to end: a few nodes side by side, on each of them one pod after the other. None stays."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from imagebuild.cli.doctor import outcome
from imagebuild.cli.doctor.outcome import Outcome
from imagebuild.cli.doctor.pods import Probe
from imagebuild.cli.exits import Exit
from imagebuild.cli.interrupts import answered
from imagebuild.cli.problem import ApiError, PodRefusedError
from imagebuild.contract.reasons import Reason

__all__ = ["Pods", "look"]

Document = Mapping[str, Any]

_AT_ONCE = 8
"""Nodes."""
_LOOK_EVERY_SECONDS = 0.5
_SETTLED_SECONDS = 8.0
"""What a pod is stuck in for so long it stays in."""
_GRACE_SECONDS = 2
_GONE, _FORBIDDEN = 404, 403
_NOT_YET = ("error looking up service account", "status unknown for quota")
"""Said in a namespace that has just been made."""


class Pods(Protocol):
    """Of cluster.Cluster, what it takes."""

    namespace: str

    def create_pod(self, document: Document) -> dict[str, Any]: ...

    def delete_pod(self, name: str, *, grace: int) -> None: ...

    def read(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]: ...

    def rules(self, namespace: str) -> dict[str, Any]: ...


@dataclass(slots=True)
class _Lane:
    """Of one node."""

    probes: deque[Probe]
    now: Probe | None = None
    began: float = 0.0
    uid: str = ""
    last: Outcome = outcome.STARTING
    stuck_since: float | None = None


@dataclass(slots=True)
class _Looking:
    pods: Pods
    manifest: Callable[[Probe], Document]
    tell: Callable[[str], None]
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    found: dict[str, Outcome] = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)
    """Pods, and how many seconds each has to end: none where no kubelet has seen it."""
    left: list[str] = field(default_factory=list)
    """What could not be deleted, and why."""

    def all(self, lanes: Sequence[Sequence[Probe]]) -> None:
        waiting = deque(_Lane(deque(probes)) for probes in lanes)
        running: list[_Lane] = []
        while waiting or running:
            while waiting and len(running) < _AT_ONCE:
                running.append(waiting.popleft())
            for lane in running:
                self._go_on(lane)
            running = [lane for lane in running if lane.now or lane.probes]
            self.tell(", ".join(_doing(lane) for lane in running if lane.now))
            if running:
                self.sleep(_LOOK_EVERY_SECONDS)

    def _go_on(self, lane: _Lane) -> None:
        if lane.now is None:
            self._start(lane, lane.probes.popleft())
            return
        seen = self._seen(lane)
        lane.stuck_since = (lane.stuck_since or self.clock()) if seen.stuck else None
        lane.last, waited = seen, self.clock() - lane.began
        self.made[lane.now.name] = _GRACE_SECONDS if seen.taken else 0
        settled = lane.stuck_since is not None and self.clock() - lane.stuck_since >= _SETTLED_SECONDS
        if seen.ended or settled:
            self._done(lane, lane.now, seen)
        elif waited >= lane.now.patience:
            self._done(lane, lane.now, outcome.unfinished(seen, lane.now.patience))

    def _start(self, lane: _Lane, probe: Probe) -> None:
        lane.now, lane.last, lane.stuck_since = probe, outcome.STARTING, None
        lane.began, lane.uid = self.clock(), ""
        self.made[probe.name] = 0  # before it is: whoever interrupts us leaves nothing
        try:
            lane.uid = self._create(probe)["metadata"]["uid"]
        except PodRefusedError as refusal:
            del self.made[probe.name]
            self.found[probe.name] = outcome.refused(refusal.message)
            lane.now = None

    def _create(self, probe: Probe) -> dict[str, Any]:
        end = self.clock() + _SETTLED_SECONDS
        while True:
            try:
                return self.pods.create_pod(self.manifest(probe))
            except PodRefusedError as refusal:
                if self.clock() > end or not any(sign in refusal.message for sign in _NOT_YET):
                    raise
            self.sleep(_LOOK_EVERY_SECONDS)

    def _seen(self, lane: _Lane) -> Outcome:
        assert lane.now is not None
        try:
            pod = self.pods.read(f"/api/v1/namespaces/{self.pods.namespace}/pods/{lane.now.name}")
        except ApiError as error:
            if error.status == _GONE:
                return Outcome(reason=Reason.POD_LOST, message="somebody has deleted the pod", ended=True)
            if error.exit_code != Exit.INFRASTRUCTURE:
                raise
            return lane.last  # it answers again, or patience ends
        seen = outcome.seen(pod)
        return outcome.seen(pod, self._events(lane.uid)) if seen.reason == Reason.STARTING else seen

    def _events(self, uid: str) -> list[Document]:
        """None where they may not be read."""
        query = {"fieldSelector": f"involvedObject.uid={uid}"}
        try:
            items: list[Document] = self.pods.read(f"/api/v1/namespaces/{self.pods.namespace}/events", query)["items"]
        except ApiError as error:
            if error.status != _FORBIDDEN and error.exit_code != Exit.INFRASTRUCTURE:
                raise
            return []
        return items

    def _done(self, lane: _Lane, probe: Probe, what: Outcome) -> None:
        self.found[probe.name] = what
        lane.now = None
        self._delete(probe.name)

    def _delete(self, name: str) -> None:
        try:
            self.pods.delete_pod(name, grace=self.made.pop(name))
        except ApiError as error:
            if error.status != _GONE:
                self.left.append(f"{name}: {error.message}")

    def clean(self) -> None:
        for name in list(self.made):
            self._delete(name)


def look(
    pods: Pods,
    lanes: Sequence[Sequence[Probe]],
    manifest: Callable[[Probe], Document],
    *,
    tell: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[dict[str, Outcome], list[str]]:
    """What became of each probe, by its name, and which pods could not be deleted. `tell`: what goes on."""
    looking = _Looking(pods, manifest, tell, clock, sleep)
    try:
        looking.all(lanes)
    finally:
        with answered(signal.SIG_IGN):  # a second Ctrl-C would leave pods behind
            looking.clean()
    return looking.found, looking.left


def _doing(lane: _Lane) -> str:
    assert lane.now is not None
    return f"{lane.now.mode} on {lane.last.node or lane.now.node or 'a node'}: {lane.last.reason}"
