"""Builds while the operator is killed again and again: what is lost, doubled, or told wrongly.

tests/disruptive and hack/soak use it.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagebuild.api import names
from testbed import kwok, registry
from testbed.kubectl import Document, Kubectl, until
from testbed.kwok import FATES, REAL, Fate, digest, simulated_node
from testbed.outside import OutsideOperator, outside_operators
from testbed.podwatch import PodWatch, Record, SeenPod

SETTINGS: dict[str, Any] = {
    # at most six real builds at once, on however small a machine; and every pod stays, to be looked at
    "limits": {"running": 18, "runningPerNamespace": 6},
    "pod": {"resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}}},
    "retention": {"perNamespace": 100_000},
}
_REAL_DOCKERFILE = "FROM busybox:1.37\nRUN echo {name} > /name\n"
_LIFE = 3
"""Seconds: no build that was applied before a kill is over by then."""
_MIX = ("ok",) * 7 + ("fails", "evicted", "lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    builds: int
    """On the simulated node."""
    real: int
    kills: int
    longest_pause: float
    """Seconds between two kills, at most."""
    seed: int
    replicas: int = 1
    """Of the operator. Each kill is for one of them, whether it leads or not."""


@dataclass(slots=True, kw_only=True)
class Report:
    builds: int
    pods: int = 0
    kills: int = 0
    unfinished_at_kills: list[int] = field(default_factory=list)
    """How many builds were on their way when the operator was killed, for each kill."""
    seconds: float = 0
    lost: list[str] = field(default_factory=list)
    """Builds that came to no end."""
    doubled: list[str] = field(default_factory=list)
    """Two live pods of one build, or a pod's name used twice."""
    wrong: list[str] = field(default_factory=list)
    """Statuses that are not as the pods were."""


def builds_under_kills(kubectl: Kubectl, spaces: Sequence[Kubectl], directory: Path, plan: Plan) -> Report:
    """The last namespace is for the real builds, the others for simulated ones."""
    todo = list(_builds(spaces, plan))
    report = Report(builds=len(todo))
    begun = time.monotonic()
    with (
        outside_operators(kubectl, directory, SETTINGS, plan.replicas) as operators,
        simulated_node(kubectl, directory, seconds=_LIFE),
        Record(kubectl, directory / "pods.jsonl") as record,
    ):
        _kill_again_and_again(operators, todo, plan, report, spaces)
        report.lost = _wait_for_all(operators, spaces, report.builds)
        pods = record.caught_up()
        assert [operator.stop() for operator in operators] == [0] * plan.replicas
        _judge(report, spaces, record.watch, pods)
    report.seconds = time.monotonic() - begun
    return report


def _builds(spaces: Sequence[Kubectl], plan: Plan) -> Iterator[tuple[Kubectl, Document]]:
    """Mixed, so that real ones are on their way all the time."""
    *simulated, real = spaces
    every = max(1, plan.builds // max(1, plan.real))
    left = plan.real
    for number in range(plan.builds):
        fate = _MIX[number % len(_MIX)]
        yield simulated[number % len(simulated)], kwok.build(f"{fate}-{number}")
        if number % every == 0 and left:
            left -= 1
            name = f"real-{number}"
            yield real, _build(name, _image(real, name))


def _build(name: str, image: str) -> Document:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": name},
        "spec": {
            "dockerfile": {"inline": _REAL_DOCKERFILE.format(name=name)},
            "output": {"images": [image]},
            "pod": {"nodeSelector": REAL},
        },
    }


def _image(space: Kubectl, name: str) -> str:
    return f"{space.place.registry}/kills/{space.namespace}:{name}"


def _kill_again_and_again(
    operators: list[OutsideOperator],
    todo: list[tuple[Kubectl, Document]],
    plan: Plan,
    report: Report,
    spaces: Sequence[Kubectl],
) -> None:
    """Half of the builds come at once, the others bit by bit, so that no kill finds nothing to disturb."""
    chance = random.Random(plan.seed)
    half = len(todo) // 2
    size = max(1, half // plan.kills)
    batches = [todo[:half], *(todo[start : start + size] for start in range(half, len(todo), size))]
    applied = 0
    for _ in range(plan.kills):
        _start(operators)
        if batches:
            batch = batches.pop(0)
            _apply(batch)
            applied += len(batch)
        time.sleep(chance.uniform(0.1, plan.longest_pause))
        report.unfinished_at_kills.append(applied - len(_finished(spaces)))
        chance.choice(operators).kill()
        report.kills += 1
    for batch in batches:
        _apply(batch)


def _start(operators: list[OutsideOperator]) -> None:
    for operator in operators:
        operator.start_if_it_has_ended()


def _apply(batch: Sequence[tuple[Kubectl, Document]]) -> None:
    for namespace in {space.namespace for space, _ in batch}:
        documents = [document for space, document in batch if space.namespace == namespace]
        next(space for space, _ in batch if space.namespace == namespace).apply(*documents)


def _statuses(spaces: Sequence[Kubectl]) -> list[Document]:
    return [build for space in spaces for build in space.items("imagebuilds")]


def _finished(spaces: Sequence[Kubectl]) -> list[Document]:
    return [build for build in _statuses(spaces) if build.get("status", {}).get("phase") in ("Succeeded", "Failed")]


def _wait_for_all(operators: list[OutsideOperator], spaces: Sequence[Kubectl], count: int) -> list[str]:
    """Those that came to no end although there was time."""

    def all_finished() -> bool:
        _start(operators)
        return len(_finished(spaces)) >= count

    try:
        until("all builds to end", all_finished, seconds=120 + count, pause=1)
    except TimeoutError:
        ended = {build["metadata"]["uid"] for build in _finished(spaces)}
        open_ones = [build for build in _statuses(spaces) if build["metadata"]["uid"] not in ended]
        return [f"{build['metadata']['name']}: {json.dumps(build.get('status'))}" for build in open_ones]
    return []


def _judge(report: Report, spaces: Sequence[Kubectl], watch: PodWatch, pods: list[Document]) -> None:
    mine = {space.namespace for space in spaces}
    there = {pod["metadata"]["uid"]: pod for pod in pods if pod["metadata"]["namespace"] in mine}
    builds = _statuses(spaces)
    if len(builds) != report.builds:
        report.lost.append(f"{report.builds - len(builds)} ImageBuilds are gone")
    owners = {build["metadata"]["uid"] for build in builds}
    report.pods = sum(pod.owner in owners for pod in watch.pods.values())
    # the first pod of a lost build may be made again: where it went before anybody wrote down that it was there
    again = [name for name in watch.created_again() if not name.startswith("lost-")]
    report.doubled = [*watch.doubled, *again]
    for build in builds:
        if build["metadata"]["uid"] not in {pod.owner for pod in watch.pods.values()}:
            report.wrong.append(f"{build['metadata']['name']}: no pod was ever seen")
            continue
        said = wrong(build, watch.of(build["metadata"]["uid"]), there)
        report.wrong += [f"{build['metadata']['name']}: {each}" for each in said]
    real = [build for build in builds if build["metadata"]["name"].startswith("real-")]
    report.wrong += [said for build in real for said in _wrong_image(spaces[-1], build)]


def wrong(build: Document, pods: list[SeenPod], there: dict[str, Document]) -> list[str]:
    """What the status says against what was seen of the pods."""
    name, status = build["metadata"]["name"], build.get("status") or {}
    fate = FATES.get(name.partition("-")[0], Fate(phase="Succeeded", reason=FATES["ok"].reason))
    last = pods[-1]
    expected = {
        "phase": fate.phase,
        "reason": fate.reason,
        "run": 1,
        "attempt": fate.attempts,
        "failures": fate.attempts - 1,
        "history": [],
        "podName": last.name,
        "podUID": last.uid,
        "last attempt": last.attempt,
        "pods of that many attempts": {*range(1, fate.attempts + 1)},
        "pod is there and has ended": True,
    }
    found = {
        **{key: status.get(key) for key in expected},
        "run": status.get("run", {}).get("number"),
        "history": status.get("history", []),
        "last attempt": status.get("attempt"),
        "pods of that many attempts": {pod.attempt for pod in pods},
        "pod is there and has ended": last.uid in there and not last.live,
    }
    if name.startswith(("ok", "evicted", "lost")):
        expected["digest"], found["digest"] = digest(last.name), status.get("output", {}).get("digest")
    return [f"{key} is {found[key]}, not {value}" for key, value in expected.items() if found[key] != value]


def _wrong_image(space: Kubectl, build: Document) -> list[str]:
    name = build["metadata"]["name"]
    pushed = registry.manifest(space.place, _image(space, name))
    said = build.get("status", {}).get("output", {}).get("digest")
    there = pushed[0] if pushed else None
    return [] if there is not None and there == said else [f"{name}: the digest is {said}, but pushed was {there}"]
