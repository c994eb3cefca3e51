"""Anything may happen, in any order: hypothesis looks for an order in which a promise breaks.

The promises: never two live pods of one ImageBuild, no name of a pod twice, no status that goes backwards, no digest of
another run (all checked where the API server takes a write, in model.py); no more pods than the limits say; no pod for a
build that a newer one of its group has overtaken, as far as the operator had heard; and in the end every build is over.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import make
from controller.model import BUILD, POD, Operator, Truth, finished
from imagebuild.api import names
from imagebuild.api.config import OperatorConfig
from imagebuild.contract.reasons import Reason
from imagebuild.core.observe import observe

NAMES = st.sampled_from(["one", "two", "three", "alone", "solo"])
RUNNING = 2
ENDS = st.sampled_from(["built", "failed", "broken", "missing", "stopped", "garbage", "evicted"])


class Cluster(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.truth = Truth()
        self.held = False
        self.operator = Operator(self.truth, self.config)
        self.uids = 0

    @initialize()
    def some_builds_are_there(self) -> None:
        for number, name in enumerate(["one", "two", "alone", "solo"]):
            self.apply(name, number, cancel=False, prompt=True)

    def then(self, *, prompt: bool) -> None:
        """The operator hears of all and does all it wants to, or is late."""
        if prompt:
            self.operator.hear(1_000)
            self.operator.work(20)

    # what people do

    def config(self) -> OperatorConfig:
        """Slots are kept for ever, so that they can be counted."""
        return make.make_config(limits={"running": RUNNING}, timeouts={"slot": "1000h"}, hold=self.held)

    @rule(name=NAMES, number=st.integers(0, 9) | st.none(), cancel=st.booleans(), prompt=st.booleans())
    def apply(self, name: str, number: int | None, *, cancel: bool, prompt: bool) -> None:
        order = {} if number is None else {"order": number}
        group: dict[str, Any] = {"concurrency": {"group": "g", "cancelRunning": cancel, **order}}
        if name in self.truth.builds:
            return
        self.uids += 1
        spec = {**make.SPEC, **(group if name in ("one", "two", "three") else {})}
        self.truth.put(BUILD, make.build_document(spec, name=name, uid=f"uid-{self.uids}", created=self.truth.now))
        self.then(prompt=prompt)

    @rule(name=NAMES, version=st.sampled_from("123"), prompt=st.booleans())
    def edit(self, name: str, version: str, *, prompt: bool) -> None:
        self.change(name, args={"V": version})
        self.then(prompt=prompt)

    @rule(name=NAMES, suspend=st.booleans(), prompt=st.booleans())
    def suspend(self, name: str, *, suspend: bool, prompt: bool) -> None:
        self.change(name, suspend=suspend)
        self.then(prompt=prompt)

    @rule(name=NAMES, word=st.sampled_from(["cancel", "rebuild-at", "done-at"]), prompt=st.booleans())
    def annotate(self, name: str, word: str, *, prompt: bool) -> None:
        if (old := self.truth.builds.get(name)) is not None:
            run = str(old.get("status", {}).get("run", {}).get("number", 1))
            value = run if word == "cancel" else make.timestamp(make.at(self.truth.now))
            annotations = {**old["metadata"].get("annotations", {}), f"{names.GROUP}/{word}": value}
            self.truth.put(BUILD, {**old, "metadata": {**old["metadata"], "annotations": annotations}})
            self.then(prompt=prompt)

    @rule(name=NAMES, prompt=st.booleans(), again=st.booleans())
    def delete(self, name: str, *, prompt: bool, again: bool) -> None:
        """The garbage collector takes what does not run at once."""
        if name in self.truth.builds:
            self.truth.remove(BUILD, name)
            for pod in self.truth.live(name):
                if "containerStatuses" not in self.truth.pods[pod]["status"]:
                    self.truth.remove(POD, pod)
            if again:
                self.apply(name, 5, cancel=False, prompt=prompt)

    def change(self, name: str, **fields: Any) -> None:
        if (old := self.truth.builds.get(name)) is not None:
            meta = {**old["metadata"], "generation": old["metadata"]["generation"] + 1}
            self.truth.put(BUILD, {**old, "metadata": meta, "spec": {**old["spec"], **fields}})

    # what nodes do

    @rule(which=st.integers(0, 9), prompt=st.booleans())
    def pod_starts(self, which: int, *, prompt: bool) -> None:
        if live := self.truth.live():
            self.report(live[which % len(live)], make.running(self.truth.now))
            self.then(prompt=prompt)

    @rule(which=st.integers(0, 9), how=ENDS, prompt=st.booleans())
    def pod_ends(self, which: int, how: str, *, prompt: bool) -> None:
        if live := self.truth.live():
            self.end(live[which % len(live)], how)
            self.then(prompt=prompt)

    @rule(which=st.integers(0, 9), prompt=st.booleans())
    def pod_vanishes(self, which: int, *, prompt: bool) -> None:
        if self.truth.pods:
            self.truth.remove(POD, sorted(self.truth.pods)[which % len(self.truth.pods)])
            self.then(prompt=prompt)

    def end(self, name: str, how: str) -> None:
        pod = self.truth.pods[name]
        seen = observe(pod)
        digest = f"sha256:{len(self.truth.digests):064}"
        self.truth.digests[digest] = (seen.owner_uid, seen.run)
        at = self.truth.now
        status = {
            "built": make.built(at, digest),
            "failed": make.broken(Reason.STEP_FAILED, finished=at),
            "broken": make.broken(Reason.DAEMON_DIED, finished=at),
            "missing": make.broken(Reason.SECRET_MISSING, finished=at),
            "stopped": make.broken(Reason.STOPPED, finished=at),
            "garbage": make.ended("garbage"),
            "evicted": make.killed("Evicted"),
        }[how]
        self.report(name, status)
        if "deletionTimestamp" in pod["metadata"]:
            self.truth.remove(POD, name)

    def report(self, name: str, status: make.Document) -> None:
        self.truth.put(POD, {**self.truth.pods[name], "status": status})

    # what becomes of the operator

    @rule(number=st.integers(1, 6))
    def hears(self, number: int) -> None:
        self.operator.hear(number)

    @rule(number=st.integers(1, 6))
    def works(self, number: int) -> None:
        self.operator.work(number)

    @rule(seconds=st.sampled_from([1.0, 5.0, 60.0, 1000.0]), prompt=st.booleans())
    def time_passes(self, seconds: float, *, prompt: bool) -> None:
        self.truth.now += seconds
        self.then(prompt=prompt)

    @rule(held=st.booleans(), prompt=st.booleans())
    def the_administrator_holds_it(self, *, held: bool, prompt: bool) -> None:
        self.held = held
        self.operator.reconfigured()
        self.then(prompt=prompt)

    @rule()
    def its_watch_breaks(self) -> None:
        self.operator.relist()

    @rule()
    def it_is_killed_and_another_one_leads(self) -> None:
        self.operator = Operator(self.truth, self.config)

    @precondition(lambda self: not self.truth.fault)
    @rule(fault=st.sampled_from(["refused", "unanswered"]))
    def the_next_write_fails(self, fault: str) -> None:
        self.truth.fault = fault

    # what must hold

    @invariant()
    def no_more_pods_than_the_limits_say(self) -> None:
        owned = [pod for pod in self.truth.live() if observe(self.truth.pods[pod]).owner_uid in self.existing()]
        assert len(owned) <= RUNNING

    def existing(self) -> set[str]:
        return {build["metadata"]["uid"] for build in self.truth.builds.values()}

    def teardown(self) -> None:
        """The world calms down: everybody is heard, pods do what they should."""
        self.truth.fault, self.held = "", False
        for name in list(self.truth.builds):
            self.change(name, suspend=False)
        for _ in range(60):
            self.operator.relist()
            self.operator.work(50)
            self.truth.now += 400
            for name in self.truth.live():
                self.report(name, make.running(self.truth.now))
                self.end(name, "built")
            if all(finished(build) for build in self.truth.builds.values()) and not self.truth.live():
                break
        left = {name: build.get("status") for name, build in self.truth.builds.items() if not finished(build)}
        assert not left, "every build is over in the end"
        self.operator.relist()
        self.operator.work(50)
        assert not self.operator.queue.timers, "nothing is planned for what is over or gone"


def test_no_order_of_events_breaks_a_promise() -> None:
    quick = settings(
        max_examples=150,
        stateful_step_count=40,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # a hundred steps tell enough, and to find fewer takes minutes
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Cluster, settings=quick)
