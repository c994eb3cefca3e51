"""Stories of one ImageBuild: time passes, objects change, and what the operator does next."""

from __future__ import annotations

from typing import Any

import pytest

import make
from imagebuild.api import names
from imagebuild.api.status import ImageBuildStatus, Phase
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import CacheRef, LookUp
from imagebuild.core import decision as steps
from unit.world import START, World, building, told

PENDING, RUNNING, SUCCEEDED, FAILED = Phase.PENDING, Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED


def done(world: World | None = None, digest: str = make.DIGEST, **config: Any) -> World:
    world = building(world, **config)
    world.becomes(make.built(finished=world.now + 5, digest=digest))
    world.settle(6)
    return world


# --- one build


def test_a_build_is_one_pod_and_three_status_writes() -> None:
    world = done()
    assert [told(status) for status in world.writes] == [
        (PENDING, Reason.STARTING),
        (RUNNING, Reason.BUILDING),
        (SUCCEEDED, Reason.BUILT),
    ]
    assert len(world.created) == 1


def test_a_success_says_what_came_out() -> None:
    status = done().status
    assert status.output is not None
    assert status.output.digest == make.DIGEST
    assert status.source is not None
    assert (status.source.commit, status.source.branch) == (make.COMMIT, "main")
    assert status.last_successful is not None
    assert (status.last_successful.run, status.last_successful.digest) == (1, make.DIGEST)
    assert status.duration == "6s"


def test_nothing_is_written_for_a_build_that_has_not_changed() -> None:
    world = done()
    before = len(world.writes)
    for _ in range(3):
        world.settle(3600)
    assert len(world.writes) == before


def test_a_build_that_is_being_deleted_is_left_alone() -> None:
    world = World()
    world.deleting = True
    assert isinstance(world.decide(verdict=START), steps.Nothing)


# --- waiting for a turn


def test_without_a_slot_a_build_says_that_it_is_queued_and_since_when() -> None:
    world = World()
    world.slot = False
    world.settle()
    world.settle(60)
    assert told(world.status) == (PENDING, Reason.QUEUED)
    assert world.status.queued_at == make.at(0)
    assert len(world.writes) == 1
    world.slot = True
    world.settle(60)
    assert told(world.status) == (PENDING, Reason.STARTING)


@pytest.mark.parametrize("fields", [{"pause": True}, {"source": {"git": {"url": "https://a/b", "lfs": True}}}])
def test_a_field_of_a_newer_version_is_waited_with_and_named(fields: dict[str, Any]) -> None:
    world = World({**make.SPEC, **fields})
    assert told(world.settle()) == (PENDING, Reason.OPERATOR_TOO_OLD)
    assert world.status.message in (
        "unknown to this operator: spec.pause",
        "unknown to this operator: spec.source.git.lfs",
    )
    assert world.created == []


def test_a_spec_that_cannot_be_read_fails_at_once_and_its_correction_builds() -> None:
    world = World({"output": {"discard": "perhaps"}})
    assert told(world.settle()) == (FAILED, Reason.SPEC_INVALID)
    assert "spec.output.discard" in (world.status.message or "")
    world.edit(output={"discard": True})
    assert told(world.settle(5)) == (PENDING, Reason.STARTING)


def test_an_sbom_that_no_scanner_makes_is_refused_without_a_pod() -> None:
    world = World({**make.SPEC, "output": {"images": ["r.io/a:1"], "sbom": True}})
    assert told(world.settle()) == (FAILED, Reason.SPEC_INVALID)
    assert "sbomScanner" in (world.status.message or "")
    assert world.created == []


def test_a_build_too_large_to_describe_fails_with_the_next_step() -> None:
    world = World({**make.SPEC, "args": {f"A{i}": "x" * 100_000 for i in range(2)}})
    assert told(world.settle()) == (FAILED, Reason.SPEC_INVALID)
    assert "into the source" in (world.status.message or "")


# --- what the pod says


def test_words_of_the_scheduler_are_passed_on() -> None:
    world = World()
    world.settle()
    world.becomes(make.unschedulable("0/3 nodes are available: insufficient cpu"))
    assert told(world.settle(5)) == (PENDING, Reason.UNSCHEDULABLE)
    assert world.status.message == "0/3 nodes are available: insufficient cpu"


def test_a_fault_of_the_user_ends_the_run_with_all_that_is_known() -> None:
    world = building()
    world.becomes(make.broken(Reason.STEP_FAILED, "RUN make: exit code 2"))
    status = world.settle(5)
    assert told(status) == (FAILED, Reason.STEP_FAILED)
    assert status.failure is not None
    assert (status.failure.message, status.failure.next_step) == (
        "RUN make: exit code 2",
        "Read failure.logTail; the log of the pod named in podName has all of it.",
    )
    world.settle(3600)
    assert len(world.created) == 1


def test_a_cache_that_could_not_be_written_is_said_and_the_build_has_succeeded() -> None:
    world = building()
    world.becomes(make.built(export_ref="r/c:1", export_error="denied", steps_total=4, steps_cached=1))
    status = world.settle(9)
    assert told(status) == (SUCCEEDED, Reason.BUILT)
    assert status.cache is not None
    assert status.cache.export is not None
    assert (status.cache.summary, status.cache.export.error) == ("1/4", "denied")
    assert "the cache was not written: denied" in (status.message or "")


def test_cache_refs_that_were_looked_for_are_listed() -> None:
    world = building()
    found = CacheRef(ref="r/c:main", found=LookUp.NOT_FOUND)
    world.becomes(make.built(imports=(found,)))
    status = world.settle(9)
    assert status.cache is not None
    assert [(entry.ref, entry.result) for entry in status.cache.imports] == [("r/c:main", LookUp.NOT_FOUND)]


# --- trying again


def test_a_fault_of_the_infrastructure_is_tried_again_after_a_while() -> None:
    world = building()
    world.becomes(make.broken(Reason.DAEMON_NOT_STARTED, "no user namespaces"))
    status = world.settle(5)
    assert told(status) == (PENDING, Reason.RETRYING)
    assert status.message == "DaemonNotStarted: no user namespaces"
    assert status.next_retry_at is not None
    assert world.wake_at is not None
    assert world.created == world.created[:1]
    world.settle(3)
    assert len(world.created) == 2
    assert (world.status.attempt, world.status.failures) == (2, 1)


def test_delays_grow_from_seconds_to_minutes_and_attempts_end() -> None:
    world, delays = World(retryLimit=10), []
    for _ in range(10):
        building(world)
        world.becomes(make.killed("Evicted", "low on memory"))
        status = world.settle(1)
        assert status.next_retry_at is not None
        delays.append((status.next_retry_at - make.at(world.now)).total_seconds())
        world.settle(delays[-1] + 1)
    for delay, least in zip(delays, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300], strict=True):
        assert least <= delay <= least * 1.25 + 1
    building(world)
    world.becomes(make.killed("Evicted", "low on memory"))
    status = world.settle(1)
    assert told(status) == (FAILED, Reason.EVICTED)
    assert status.message == "low on memory"
    assert len(world.created) == 11


def test_waiting_for_what_is_missing_costs_no_attempt() -> None:
    world = building(retryLimit=0)
    for attempt in range(1, 6):
        world.becomes(make.broken(Reason.SECRET_MISSING, "the Secret push does not exist"))
        status = world.settle(1)
        assert told(status) == (PENDING, Reason.SECRET_MISSING)
        assert (status.waits, status.failures) == (attempt, 0)
        world.settle(60)
        building(world)
    assert told(done(world).status) == (SUCCEEDED, Reason.BUILT)


def test_a_new_attempt_has_nothing_of_the_one_before() -> None:
    world = building()
    world.becomes(make.broken(Reason.RUNNER_FAILED, "bug"))
    world.settle(5)
    status = world.settle(5)
    assert status.attempt == 2
    assert (status.started_at, status.finished_at, status.duration, status.failure) == (None, None, None, None)
    assert status.next_retry_at is None


# --- pods that vanish


def test_a_pod_that_vanished_is_lost_and_the_next_attempt_has_another_name() -> None:
    world = building()
    world.vanishes()
    status = world.settle(1)
    assert told(status) == (PENDING, Reason.RETRYING)
    assert status.message == f"PodLost: the build pod {world.created[0]} is gone"
    world.settle(5)
    assert len(set(world.created)) == 2
    assert told(done(world).status) == (SUCCEEDED, Reason.BUILT)


def test_a_pod_that_is_not_in_view_is_looked_for_before_it_counts_as_lost() -> None:
    world = building()
    world.vanishes()
    decision = world.decide()
    assert decision == steps.Confirm(name=world.created[0])


def test_a_pod_that_vanishes_once_too_often_fails_the_run() -> None:
    world = building(retryLimit=0)
    world.vanishes()
    assert told(world.settle(1)) == (FAILED, Reason.POD_LOST)


def test_a_pod_replaced_under_its_name_is_lost_and_waited_for() -> None:
    """As `kubectl replace --force` does: the same name and owner, another uid."""
    world = building()
    name = world.created[0]
    world.pods[name] = {**world.pods[name], "metadata": {**world.pods[name]["metadata"], "uid": "another"}}
    world.look()
    assert told(world.settle(1)) == (PENDING, Reason.RETRYING)
    world.settle(60)
    assert len(world.created) == 1, "the other one still lives"
    world.becomes(make.built(), name)
    world.settle(1)
    assert len(world.created) == 2


# --- a pod of somebody else


def test_a_build_made_again_under_the_same_name_waits_for_the_old_pod() -> None:
    world = building()
    world.uid, world.status = "another-uid", ImageBuildStatus()
    status = world.settle(1)
    assert told(status) == (PENDING, Reason.QUEUED)
    assert status.message == f"waits for the pod {world.created[0]} to end"
    world.vanishes()
    assert told(world.settle(1)) == (PENDING, Reason.STARTING)
    assert world.created[1] != world.created[0]


# --- pods that the API server refuses


def test_a_quota_is_waited_for_and_asked_again() -> None:
    world = World()
    world.refusal = (Reason.QUOTA_EXCEEDED, "exceeded quota: pods=0")
    assert told(world.settle()) == (PENDING, Reason.QUOTA_EXCEEDED)
    assert world.wake_at == make.at(30)
    world.refusal = (Reason.BUILT, "")
    assert told(world.settle(30)) == (PENDING, Reason.STARTING)
    assert world.status.attempt == 1


@pytest.mark.parametrize("reason", [Reason.POD_REJECTED, Reason.NAME_TAKEN], ids=str)
def test_a_pod_that_is_refused_for_good_fails_the_run(reason: Reason) -> None:
    world = World()
    world.refusal = (reason, "violates PodSecurity")
    status = world.settle()
    assert told(status) == (FAILED, reason)
    assert status.message == "violates PodSecurity"


# --- an operator that dies


def test_a_pod_whose_status_was_never_written_is_taken_over() -> None:
    world = World()
    world.settle(most=2)
    assert world.created
    assert world.writes == []
    status = world.settle(5)
    assert (status.pod_name, status.attempt) == (world.created[0], 1)
    assert len(world.created) == 1


def test_a_pod_that_ended_meanwhile_is_reported_as_it_ended() -> None:
    world = World()
    world.settle(most=2)
    world.becomes(make.built())
    assert told(world.settle(60)) == (SUCCEEDED, Reason.BUILT)


def test_a_status_that_was_lost_is_made_again_from_the_pods() -> None:
    world = done()
    world.status = ImageBuildStatus()
    assert told(world.settle(60)) == (SUCCEEDED, Reason.BUILT)
    assert len(world.created) == 1


# --- runs


@pytest.mark.parametrize("finish", [done, building], ids=["after the build", "while it goes on"])
def test_a_neutral_field_is_noted_and_starts_nothing(finish: Any) -> None:
    world = finish()
    before, run = len(world.writes), world.status.run
    world.edit(timeouts={"build": "5m"})
    status = world.settle(5)
    assert (status.run, status.observed_generation) == (run, 2)
    assert len(world.writes) == before + 1
    assert len(world.created) == 1


def test_a_changed_input_is_a_new_run_that_keeps_only_the_last_success_and_a_line_of_history() -> None:
    world = done()
    world.edit(args={"VERSION": "2"})
    status = world.settle(60)
    assert status.run is not None
    assert (status.run.number, status.attempt) == (2, 1)
    assert (status.output, status.source, status.cache, status.finished_at, status.timings) == (None,) * 5
    assert status.last_successful is not None
    assert status.last_successful.digest == make.DIGEST
    assert [(record.run, record.phase, record.digest) for record in status.history] == [(1, SUCCEEDED, make.DIGEST)]


def test_a_run_that_fails_leaves_the_last_success_where_it_was() -> None:
    world = done()
    world.edit(args={"VERSION": "2"})
    building(world)
    world.becomes(make.broken(Reason.STEP_FAILED))
    status = world.settle(60)
    assert told(status) == (FAILED, Reason.STEP_FAILED)
    assert status.last_successful is not None
    assert status.last_successful.run == 1


def test_history_is_short_and_newest_first() -> None:
    world = done()
    for version in range(2, 9):
        world.now += 60
        world.edit(args={"VERSION": str(version)})
        done(world)
    assert [record.run for record in world.status.history] == [7, 6, 5, 4, 3]


def test_a_rebuild_that_is_asked_for_is_one_new_run() -> None:
    world = done()
    world.now += 60
    world.ask_for_a_rebuild()
    done(world)
    assert world.status.run is not None
    assert (world.status.run.number, len(world.created)) == (2, 2)
    assert told(world.settle(3600)) == (SUCCEEDED, Reason.BUILT)
    assert len(world.created) == 2


def test_a_rebuild_to_come_wakes_the_operator_at_its_time() -> None:
    world = done()
    world.annotations[names.ANNOTATION_REBUILD_AT] = make.timestamp(make.at(500))
    world.settle()
    assert world.wake_at == make.at(500)
    world.now = 500
    world.settle()
    assert len(world.created) == 2


def test_an_operator_that_dies_after_creating_the_pod_of_a_rebuild_does_not_rebuild_twice() -> None:
    world = done()
    world.now += 60
    world.ask_for_a_rebuild()
    world.settle(most=2)
    assert len(world.created) == 2
    world.pods[world.created[1]]["metadata"]["creationTimestamp"] = make.timestamp(make.at(world.now - 5))
    world.look()
    assert told(world.settle(1)) == (PENDING, Reason.STARTING)
    assert len(world.created) == 2


# --- inputs that change while a pod lives


def test_a_running_pod_is_asked_to_stop_and_the_new_run_begins_when_it_has_ended() -> None:
    world = building()
    world.edit(args={"VERSION": "2"})
    world.settle(1)
    asked = world.pods[world.created[0]]["metadata"]["annotations"][names.ANNOTATION_STOP]
    assert asked == "Superseded"
    world.settle(10)
    assert len(world.created) == 1
    world.becomes(make.broken(Reason.SUPERSEDED))
    status = world.settle(1)
    assert status.run is not None
    assert status.run.number == 2
    assert [record.reason for record in status.history] == [Reason.SUPERSEDED]


def test_a_pod_that_has_not_started_is_deleted_at_once() -> None:
    world = World()
    world.settle()
    world.edit(args={"VERSION": "2"})
    world.settle(1)
    assert list(world.pods) == world.created[1:]


def test_inputs_that_change_back_go_on_without_a_fault() -> None:
    world = building()
    world.edit(args={"VERSION": "2"})
    world.settle(1)
    world.edit(args={})
    world.spec.pop("args")
    world.settle(1)
    world.becomes(make.killed("DeadlineExceeded"))
    status = world.settle(1)
    assert told(status) == (PENDING, Reason.SUPERSEDED)
    assert (status.failures, status.waits) == (0, 1)
    world.settle(5)
    assert told(done(world).status) == (SUCCEEDED, Reason.BUILT)


def test_a_build_that_was_pushed_before_it_could_stop_counts_for_nobody_but_is_no_failure() -> None:
    world = building()
    world.edit(args={"VERSION": "2"})
    world.settle(1)
    world.becomes(make.built(digest="sha256:" + "0" * 64))
    status = world.settle(1)
    assert status.run is not None
    assert status.run.number == 2
    assert told(status) == (PENDING, Reason.STARTING)
