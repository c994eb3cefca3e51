"""A random walk through everything that may happen to an ImageBuild. Whatever the order, the promises hold.

World holds some of them on its way: never two live pods, never a name twice, an end to deciding. The others are here.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

import make
from imagebuild.api.status import ImageBuildStatus
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import BuildResult, Details, Essentials, dump
from imagebuild.core.run import inputs_hash
from unit.world import World

WALKS, STEPS = 4, 80
"""As many as half a second allows. Thousands of steps held when this was written; raise them after a change of decide()."""
EXPECTED = {
    Reason.BUILT, Reason.STEP_FAILED, Reason.RETRYING, Reason.SECRET_MISSING, Reason.QUEUED, Reason.STARTING,
    Reason.BUILDING, Reason.SPEC_INVALID, Reason.QUOTA_EXCEEDED,
}  # fmt: skip
ENDS = (
    lambda world: make.built(finished=world.now, digest=f"sha256:{len(world.created):064}"),
    lambda world: make.broken(Reason.STEP_FAILED, finished=world.now),
    lambda world: make.broken(Reason.DAEMON_NOT_STARTED, finished=world.now),
    lambda world: make.broken(Reason.SECRET_MISSING, finished=world.now),
    lambda world: make.broken(Reason.STOPPED, finished=world.now),
    lambda world: make.ended("garbage", finished=world.now),
    lambda world: make.ended(
        dump(BuildResult(essentials=Essentials(reason=Reason.BUILT), details=Details(images=("x",)))), code=0
    ),
    lambda _: make.killed("Evicted"),
    lambda _: make.killed("DeadlineExceeded"),
)


class Walk:
    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.world = World(retryLimit=self.dice.randint(0, 3))
        self.said: list[str] = []
        self.digests: dict[int, str] = {}

    def some_pod(self) -> str | None:
        return self.dice.choice(sorted(self.world.pods)) if self.world.pods else None

    # what may happen

    def time_passes(self) -> None:
        self.world.now += self.dice.choice([0, 1, 3, 30, 400])

    def input_changes(self) -> None:
        self.world.edit(args={"V": self.dice.choice("123")})

    def neutral_field_changes(self) -> None:
        self.world.edit(timeouts={"build": f"{self.dice.randint(1, 9)}m"})

    def spec_breaks(self) -> None:
        self.world.edit(output={"discard": "perhaps"} if self.dice.random() < 0.2 else {"images": ["r.io/a:1"]})

    def rebuild(self) -> None:
        self.world.ask_for_a_rebuild()

    def pod_starts(self) -> None:
        for name in self.world.live():
            self.world.pods[name] = {**self.world.pods[name], "status": make.running(self.world.now)}

    def pod_ends(self) -> None:
        for name in self.world.live():
            self.world.pods[name] = {**self.world.pods[name], "status": self.dice.choice(ENDS)(self.world)}

    def pod_is_removed(self) -> None:
        if (name := self.some_pod()) is not None:
            del self.world.pods[name]

    def events_arrive(self) -> None:
        self.world.look()

    def slots_come_and_go(self) -> None:
        self.world.slot = self.dice.random() < 0.8

    def quota(self) -> None:
        full = self.dice.random() < 0.2
        self.world.refusal = (Reason.QUOTA_EXCEEDED, "no room") if full else (Reason.BUILT, "")

    def cluster_is_restored(self) -> None:
        """From a backup that holds neither statuses nor pods."""
        if not self.world.live():
            self.world.status, self.world.recorded = ImageBuildStatus(), set()
            self.world.pods.clear()
            self.world.look()
            self.digests.clear()

    def operator_dies_on_its_way(self) -> None:
        self.world.settle(most=self.dice.randint(1, 3))
        self.world.look()  # the next one lists everything

    def happenings(self) -> list[Callable[[], None]]:
        often = [self.time_passes, self.pod_starts, self.pod_ends, self.events_arrive] * 4
        now_and_then = [self.input_changes, self.neutral_field_changes, self.rebuild] * 2
        seldom = [self.pod_is_removed, self.quota, self.spec_breaks, self.cluster_is_restored, self.slots_come_and_go]
        return [*often, *now_and_then, *seldom, self.operator_dies_on_its_way]

    # what must hold

    def step(self) -> None:
        happening = self.dice.choice(self.happenings())
        self.said.append(happening.__name__)
        happening()
        before, build = self.world.status, self.world.build
        after = self.world.settle()
        self.it_is_still()
        assert before.run is None or after.run is not None
        if before.run is not None and after.run is not None and after.run.number > before.run.number:
            asked = build.rebuild_at is not None and after.run.rebuild_at != before.run.rebuild_at
            assert asked or inputs_hash(build.inputs) != before.run.inputs_hash, "something asked for the run"
        elif build.finished:
            assert (after.phase, after.reason, after.output) == (before.phase, before.reason, before.output)
        self.nothing_is_of_an_older_run(after)

    def it_is_still(self) -> None:
        """Deciding once more, or again after a restart, writes nothing."""
        before = len(self.world.writes), len(self.world.created)
        self.world.settle()
        assert (len(self.world.writes), len(self.world.created)) == before

    def nothing_is_of_an_older_run(self, status: ImageBuildStatus) -> None:
        if status.run is None or status.output is None or status.output.digest is None:
            return
        others = {digest for run, digest in self.digests.items() if run != status.run.number}
        self.digests[status.run.number] = status.output.digest
        assert status.output.digest not in others
        assert status.last_successful is not None
        assert status.last_successful.run == status.run.number


def test_whatever_happens_the_promises_hold() -> None:
    reasons: set[Reason | None] = set()
    for seed in range(WALKS):
        walk = Walk(seed)
        try:
            for _ in range(STEPS):
                walk.step()
        except AssertionError as error:
            error.add_note(f"seed {seed}, after: {', '.join(walk.said[-25:])}")
            raise
        reasons |= {status.reason for status in walk.world.writes}
    missed = EXPECTED - reasons
    assert not missed, "the walk went everywhere, so that the promises are about something"


@pytest.mark.parametrize("seed", range(3))
def test_when_the_world_calms_down_the_build_ends(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(STEPS // 2):
        walk.step()
    world = walk.world
    world.slot, world.refusal = True, (Reason.BUILT, "")
    world.edit(output={"images": ["r.io/a:1"]}, args={"V": "last"})
    for _ in range(6):
        world.look()
        world.settle(400)
        for name in world.live():
            world.pods[name] = {**world.pods[name], "status": make.built(finished=world.now)}
    assert world.build.finished
    assert world.status.reason is Reason.BUILT
