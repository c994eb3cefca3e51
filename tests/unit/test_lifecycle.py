"""Stories of people and limits that step in: cancel, suspend, time-outs, groups, hold, clean-up, corrections."""

from __future__ import annotations

from typing import Any

import pytest

import make
from imagebuild.api import names
from imagebuild.api.imagebuild import ImageBuild, parse
from imagebuild.api.status import Phase
from imagebuild.contract import plan
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import BuildResult, Essentials
from imagebuild.core import decision as steps
from imagebuild.core.admit import Verdict
from imagebuild.core.decide import decide
from imagebuild.core.decision import Context, Queue, Report
from unit.world import START, World, building, told

PENDING, RUNNING, SUCCEEDED, FAILED = Phase.PENDING, Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED


def cancel(world: World, run: str) -> None:
    world.annotations[names.ANNOTATION_CANCEL] = run


def asked_to_stop(world: World) -> str | None:
    found: str | None = world.pods[world.created[-1]]["metadata"]["annotations"].get(names.ANNOTATION_STOP)
    return found


# --- cancel


def test_a_running_build_is_asked_to_stop_and_ends_as_cancelled_with_its_log_kept() -> None:
    world = building()
    cancel(world, "1")
    world.settle(1)
    assert asked_to_stop(world) == "Cancelled"
    assert told(world.status) == (RUNNING, Reason.CANCELLED)
    assert "to end" in (world.status.message or "")
    world.becomes(make.broken(Reason.CANCELLED))
    assert told(world.settle(5)) == (FAILED, Reason.CANCELLED)
    assert world.status.pod_name in world.pods


def test_an_image_that_was_pushed_before_the_request_was_heard_counts() -> None:
    world = building()
    cancel(world, "1")
    world.settle(1)
    world.becomes(make.built())
    assert told(world.settle(5)) == (SUCCEEDED, Reason.BUILT)


def test_a_build_that_had_failed_before_the_request_was_heard_says_why() -> None:
    world = building()
    cancel(world, "1")
    world.settle(1)
    world.becomes(make.broken(Reason.STEP_FAILED, "exit code 2"))
    assert told(world.settle(5)) == (FAILED, Reason.STEP_FAILED)


def test_a_build_that_waits_is_cancelled_at_once_and_its_pod_removed() -> None:
    world = World()
    world.settle()
    world.becomes(make.unschedulable("no node"))
    world.settle(5)
    cancel(world, "1")
    assert told(world.settle(5)) == (FAILED, Reason.CANCELLED)
    assert world.pods == {}


def test_a_build_without_a_slot_is_cancelled_at_once() -> None:
    world = World()
    world.slot = False
    world.settle()
    cancel(world, "1")
    assert told(world.settle(5)) == (FAILED, Reason.CANCELLED)
    assert world.created == []


@pytest.mark.parametrize("run", ["2", "0", "", "all", "1.0", "-1", "\u0661"])
def test_another_run_is_not_cancelled(run: str) -> None:
    world = building()
    cancel(world, run)
    world.settle(1)
    assert asked_to_stop(world) is None
    assert told(world.status) == (RUNNING, Reason.BUILDING)


def test_an_annotation_that_stays_cancels_nothing_twice() -> None:
    world = building()
    cancel(world, "1")
    world.settle(1)
    world.becomes(make.broken(Reason.CANCELLED))
    world.settle(5)
    world.now += 10
    world.ask_for_a_rebuild()
    assert told(world.settle(1)) == (PENDING, Reason.STARTING)
    assert world.status.run is not None
    assert world.status.run.number == 2


def test_a_build_that_is_over_stays_as_it_is_when_it_is_cancelled() -> None:
    world = building()
    world.becomes(make.built())
    before = world.settle(5)
    cancel(world, "1")
    assert world.settle(5) == before


# --- suspend


def test_a_suspended_build_starts_nothing_until_it_is_resumed() -> None:
    world = World({**make.SPEC, "suspend": True})
    assert told(world.settle()) == (PENDING, Reason.SUSPENDED)
    world.settle(100_000)
    assert world.created == []
    assert len(world.writes) == 1
    world.edit(suspend=False)
    assert told(world.settle(5)) == (PENDING, Reason.STARTING)


def test_suspending_stops_what_runs_and_resuming_starts_the_same_run_over() -> None:
    world = building()
    world.edit(suspend=True)
    world.settle(7_200)
    assert asked_to_stop(world) == "Suspended"
    world.becomes(make.broken(Reason.STOPPED))
    assert told(world.settle(5)) == (PENDING, Reason.SUSPENDED)
    world.edit(suspend=False)
    world.settle(5)
    assert told(world.status) == (PENDING, Reason.STARTING)
    assert world.status.run is not None
    assert (world.status.run.number, world.status.attempt, world.status.failures) == (1, 2, 0)


def test_what_was_pushed_before_the_suspension_was_heard_counts() -> None:
    world = building()
    world.edit(suspend=True)
    world.settle(1)
    world.becomes(make.built())
    assert told(world.settle(5)) == (SUCCEEDED, Reason.BUILT)


def test_a_run_that_is_resumed_at_once_goes_on_when_its_pod_has_ended() -> None:
    world = building()
    world.edit(suspend=True)
    world.settle(1)
    world.edit(suspend=False)
    world.settle(1)
    world.becomes(make.killed("DeadlineExceeded"))
    world.settle(1)
    assert told(world.settle(60)) == (PENDING, Reason.STARTING)
    assert world.status.failures == 0


def test_time_in_suspension_counts_for_no_limit() -> None:
    world = World({**make.SPEC, "suspend": True, "timeouts": {"queue": "1m", "start": "1m"}})
    world.settle()
    world.slot = False
    world.now += 3_600
    world.edit(suspend=False)
    assert told(world.settle()) == (PENDING, Reason.QUEUED)
    assert told(world.settle(50)) == (PENDING, Reason.QUEUED)
    assert told(world.settle(20)) == (FAILED, Reason.QUEUE_TIMED_OUT)


# --- limits of time


def test_a_build_waits_for_its_turn_no_longer_than_it_may() -> None:
    world = World({**make.SPEC, "timeouts": {"queue": "10m"}})
    world.slot = False
    world.settle()
    assert world.wake_at == make.at(600)
    world.settle(599)
    assert told(world.status) == (PENDING, Reason.QUEUED)
    assert told(world.settle(1)) == (FAILED, Reason.QUEUE_TIMED_OUT)
    assert "10m" in (world.status.message or "")
    assert world.created == []


def test_a_pod_that_cannot_start_is_given_up_in_time_and_what_it_waited_for_is_named() -> None:
    world = World({**make.SPEC, "timeouts": {"start": "10m"}})
    world.settle()
    world.becomes(make.unschedulable("0/3 nodes have a GPU"))
    world.settle(5)
    assert world.wake_at == make.at(600)
    world.settle(590)
    assert told(world.status) == (PENDING, Reason.UNSCHEDULABLE)
    assert told(world.settle(10)) == (FAILED, Reason.START_TIMED_OUT)
    assert world.status.message == "After 10m: Unschedulable: 0/3 nodes have a GPU"
    assert world.pods == {}


def test_a_secret_that_never_appears_is_given_up_in_time_however_many_pods_looked_for_it() -> None:
    world = World({**make.SPEC, "timeouts": {"start": "10m"}})
    for _ in range(100):
        world.settle(30)
        if world.status.over:
            break
        if world.live():
            world.becomes(make.running(world.now))
            world.settle()
            world.becomes(make.broken(Reason.SECRET_MISSING, "the Secret push does not exist", finished=world.now))
    assert told(world.status) == (FAILED, Reason.START_TIMED_OUT)
    assert world.status.message == "After 10m: SecretMissing: the Secret push does not exist"
    assert 600 <= world.now <= 700


def test_quota_that_never_frees_up_is_given_up_in_time() -> None:
    world = World({**make.SPEC, "timeouts": {"start": "10m"}})
    world.refusal = (Reason.QUOTA_EXCEEDED, "exceeded quota: pods=10")
    for _ in range(20):
        world.settle(30)
    assert told(world.status) == (PENDING, Reason.QUOTA_EXCEEDED)
    world.settle(60)
    assert told(world.status) == (FAILED, Reason.START_TIMED_OUT)


def test_a_build_that_has_started_has_all_its_time_whatever_it_waited_before() -> None:
    world = World({**make.SPEC, "timeouts": {"start": "10m"}})
    world.settle()
    world.settle(590)
    world.becomes(make.running(world.now))
    world.settle(3_000)
    assert told(world.status) == (RUNNING, Reason.BUILDING)
    world.vanishes()
    assert told(world.settle(1)) == (PENDING, Reason.RETRYING)


# --- retries


@pytest.mark.parametrize(("limit", "pods"), [(0, 1), (1, 2), (5, 6)])
def test_the_user_says_how_often_a_fault_of_the_infrastructure_is_tried_again(limit: int, pods: int) -> None:
    world = World({**make.SPEC, "retryLimit": limit})
    for _ in range(12):
        world.settle(400)
        if world.live():
            world.becomes(make.broken(Reason.DAEMON_DIED, finished=world.now))
    assert told(world.settle()) == (FAILED, Reason.DAEMON_DIED)
    assert len(world.created) == pods


def test_the_next_attempt_builds_the_commit_that_the_first_one_fetched() -> None:
    world = building(World({**make.SPEC, "source": {"git": {"url": "https://git.example.com/shop.git"}}}))
    said = Essentials(reason=Reason.REGISTRY_UNAVAILABLE, commit=make.COMMIT, branch="trunk")
    world.becomes(make.ended(BuildResult(essentials=said)))
    world.settle(5)
    world.settle(60)
    asked = plan.parse(world.pods[world.created[-1]]["metadata"]["annotations"][names.ANNOTATION_PLAN]).git
    assert asked is not None
    assert (asked.commit, asked.branch, asked.pinned) == (make.COMMIT, "trunk", True)
    assert len(world.created) == 2


def test_what_is_no_commit_is_not_asked_for() -> None:
    world = building()
    world.becomes(make.ended(BuildResult(essentials=Essentials(reason=Reason.UNKNOWN, commit="--upload-pack=evil"))))
    world.settle(5)
    world.settle(60)
    asked = plan.parse(world.pods[world.created[-1]]["metadata"]["annotations"][names.ANNOTATION_PLAN]).git
    assert asked is not None
    assert (asked.commit, asked.pinned) == (None, False)


def test_a_new_run_fetches_anew() -> None:
    world = building()
    world.becomes(make.built())
    world.settle(5)
    world.now += 10
    world.ask_for_a_rebuild()
    world.settle(1)
    asked = plan.parse(world.pods[world.created[-1]]["metadata"]["annotations"][names.ANNOTATION_PLAN]).git
    assert asked is not None
    assert asked.commit is None


def test_while_the_next_attempt_is_waited_for_the_status_says_why_the_last_one_failed() -> None:
    world = building()
    world.becomes(make.broken(Reason.DAEMON_DIED, "buildkitd ended with exit code 2"))
    world.settle(0)
    failure = world.status.failure
    assert told(world.status) == (PENDING, Reason.RETRYING)
    assert failure is not None
    assert (failure.reason, failure.message) == (Reason.DAEMON_DIED, "buildkitd ended with exit code 2")
    world.settle(60)
    assert told(world.status) == (PENDING, Reason.STARTING)
    assert world.status.failure is None


# --- a correction while the pod cannot start


def test_a_correction_replaces_a_pod_that_has_not_started_and_costs_no_failure() -> None:
    world = World({**make.SPEC, "pod": {"resources": {"requests": {"memory": "999Gi"}}}})
    world.settle()
    world.becomes(make.unschedulable("insufficient memory"))
    world.settle(5)
    world.edit(pod={"resources": {"requests": {"memory": "1Gi"}}})
    world.settle(1)
    world.settle(1)
    assert len(world.created) == 2
    assert list(world.pods) == [world.created[1]]
    assert (world.status.attempt, world.status.failures, world.status.waits) == (2, 0, 0)


def test_a_change_that_says_nothing_of_the_pod_leaves_it() -> None:
    world = World()
    world.settle()
    world.edit(ttlAfterFinished="1h")
    world.settle(1)
    assert len(world.created) == 1
    assert list(world.pods) == world.created


def test_a_pod_that_runs_is_not_replaced_by_a_correction() -> None:
    world = building()
    world.edit(pod={"resources": {"limits": {"memory": "9Gi"}}})
    world.settle(5)
    assert len(world.created) == 1
    assert told(world.status) == (RUNNING, Reason.BUILDING)


# --- groups, as admission sees them


OVERTAKEN = Verdict(reason=Reason.SUPERSEDED, message="the ImageBuild app-2 of the group main is newer", run=1)


def test_a_build_that_is_overtaken_while_it_waits_ends_at_once() -> None:
    world = World()
    world.slot = False
    world.settle()
    world.overtaken = OVERTAKEN
    assert told(world.settle(1)) == (FAILED, Reason.SUPERSEDED)
    assert world.status.message == OVERTAKEN.message


def test_a_build_that_is_overtaken_while_it_runs_is_stopped_unless_it_has_pushed() -> None:
    world = building()
    world.overtaken = OVERTAKEN
    world.settle(1)
    assert asked_to_stop(world) == "Superseded"
    world.becomes(make.broken(Reason.SUPERSEDED))
    assert told(world.settle(1)) == (FAILED, Reason.SUPERSEDED)
    other = building()
    other.overtaken = OVERTAKEN
    other.settle(1)
    other.becomes(make.built())
    assert told(other.settle(1)) == (SUCCEEDED, Reason.BUILT)


def test_a_queue_that_is_full_turns_a_build_away() -> None:
    world = World()
    world.overtaken = Verdict(reason=Reason.QUEUE_FULL, message="9 builds wait in the cluster", run=1)
    assert told(world.settle()) == (FAILED, Reason.QUEUE_FULL)


def test_what_waits_for_its_group_says_so() -> None:
    world = World()
    world.overtaken = Verdict(reason=Reason.QUEUED, message="waits for its turn in the group main")
    assert told(world.settle()) == (PENDING, Reason.QUEUED)
    assert world.status.message == "waits for its turn in the group main"
    assert world.created == []


# --- hold, and what counts as done


def test_an_operator_on_hold_starts_nothing_and_lets_what_runs_end() -> None:
    world = building()
    world.config = make.make_config(hold=True)
    world.becomes(make.built())
    assert told(world.settle(5)) == (SUCCEEDED, Reason.BUILT)
    world.edit(args={"V": "2"})
    assert told(world.settle(5)) == (PENDING, Reason.HELD)
    writes = len(world.writes)
    world.settle(1_000_000)
    assert (len(world.created), len(world.writes)) == (1, writes)
    world.config = make.make_config()
    assert told(world.settle(5)) == (PENDING, Reason.STARTING)


def test_inputs_that_are_marked_as_done_are_not_built_and_the_next_change_is() -> None:
    world = World(hold=True)
    world.settle()
    world.annotations[names.ANNOTATION_DONE_AT] = make.timestamp(make.at(10))
    assert told(world.settle(5)) == (PENDING, Reason.HELD)
    assert told(world.settle(5)) == (SUCCEEDED, Reason.MARKED_DONE)
    world.config = make.make_config()
    world.settle(5)
    assert world.created == []
    world.edit(args={"V": "2"})
    assert told(world.settle(5)) == (PENDING, Reason.STARTING)


def test_marking_as_done_stops_what_runs_and_changes_nothing_of_what_was_built() -> None:
    world = building()
    world.annotations[names.ANNOTATION_DONE_AT] = make.timestamp(make.at(2))
    world.settle(1)
    assert asked_to_stop(world) == "Superseded"
    world.becomes(make.broken(Reason.SUPERSEDED))
    assert told(world.settle(5)) == (SUCCEEDED, Reason.MARKED_DONE)
    done = World()
    building(done)
    done.becomes(make.built())
    before = done.settle(5)
    done.annotations[names.ANNOTATION_DONE_AT] = make.timestamp(make.at(done.now))
    assert done.settle(5) == before


# --- the end of an ImageBuild


@pytest.mark.parametrize("end", [make.built(), make.broken(Reason.STEP_FAILED)], ids=["it succeeded", "it failed"])
def test_a_finished_build_is_deleted_when_its_time_is_over(end: make.Document) -> None:
    world = building(World({**make.SPEC, "ttlAfterFinished": "1h"}))
    world.becomes(end)
    world.settle(0)
    assert world.wake_at == make.at(world.now + 3600)
    world.settle(3_599)
    assert not world.expired
    world.settle(1)
    assert world.expired


@pytest.mark.parametrize(
    "mark",
    [
        {"argocd.argoproj.io/tracking-id": "shop:imagebuild.dev/ImageBuild:team-a/shop"},
        {"kustomize.toolkit.fluxcd.io/name": "shop"},
        {"app.kubernetes.io/instance": "shop"},
    ],
    ids=lambda mark: next(iter(mark)),
)
@pytest.mark.parametrize("where", ["annotations", "labels"])
def test_a_build_that_a_gitops_tool_would_create_again_is_never_deleted(mark: dict[str, str], where: str) -> None:
    world = building(World({**make.SPEC, "ttlAfterFinished": "1h"}))
    getattr(world, where).update(mark)
    world.becomes(make.built())
    world.settle(0)
    world.settle(100_000)
    assert not world.expired


def test_a_run_that_goes_on_is_no_finished_build() -> None:
    world = building(World({**make.SPEC, "ttlAfterFinished": "1s"}))
    world.settle(3_000)
    assert not world.expired
    world.becomes(make.built())
    world.settle(0)
    world.edit(args={"V": "2"})
    world.settle(10)
    assert not world.expired
    assert told(world.status) == (PENDING, Reason.STARTING)


# --- reuse


def test_an_image_that_is_there_already_is_a_success_with_its_digest() -> None:
    world = building()
    said = Essentials(reason=Reason.ALREADY_BUILT, digest=make.DIGEST, commit=make.COMMIT, branch="main")
    world.becomes(make.ended(BuildResult(essentials=said), code=0))
    assert told(world.settle(5)) == (SUCCEEDED, Reason.ALREADY_BUILT)
    assert world.status.output is not None
    assert world.status.output.digest == make.DIGEST
    assert world.status.last_successful is not None


def test_what_to_do_with_images_that_exist_is_no_build_input() -> None:
    world = building()
    world.becomes(make.built())
    world.settle(5)
    world.edit(output={**make.SPEC["output"], "ifExists": "Reuse"})
    world.settle(5)
    assert len(world.created) == 1


# --- what must not be left over


def test_a_pod_that_turns_up_after_its_run_is_over_is_stopped() -> None:
    world = World()
    world.settle()
    hidden = dict(world.view)
    world.view.clear()
    cancel(world, "1")
    world.status = world.status.model_copy(update={"pod_uid": None, "pod_name": None})
    assert told(world.settle(1)) == (FAILED, Reason.CANCELLED)
    world.view.update(hidden)
    decision = world.decide(verdict=START)
    assert isinstance(decision, steps.Stop)


# --- limits that count only what they are about


def test_time_with_an_operator_that_was_too_old_counts_for_no_limit() -> None:
    world = World({**make.SPEC, "fieldOfTheFuture": 1})
    assert told(world.settle()) == (PENDING, Reason.OPERATOR_TOO_OLD)
    world.spec = make.SPEC  # the operator was upgraded
    assert told(world.settle(100 * 3_600)) == (PENDING, Reason.STARTING)


def test_time_on_hold_counts_for_no_limit_whatever_the_build_waited_for_before() -> None:
    world = World()
    world.refusal = (Reason.QUOTA_EXCEEDED, "exceeded quota")
    world.settle()
    world.config = make.make_config(hold=True)
    assert told(world.settle(40)) == (PENDING, Reason.HELD)
    world.refusal, world.config = (Reason.BUILT, ""), make.make_config()
    assert told(world.settle(2 * 3_600)) == (PENDING, Reason.STARTING)


def test_time_for_quota_does_not_count_as_time_for_a_turn() -> None:
    world = World({**make.SPEC, "timeouts": {"queue": "10m"}})
    world.refusal = (Reason.QUOTA_EXCEEDED, "exceeded quota")
    for _ in range(25):
        world.settle(30)
    world.refusal, world.overtaken = (Reason.BUILT, ""), Verdict(reason=Reason.QUEUED)
    assert told(world.settle(31)) == (PENDING, Reason.QUEUED)
    assert told(world.settle(599)) == (PENDING, Reason.QUEUED)
    assert told(world.settle(1)) == (FAILED, Reason.QUEUE_TIMED_OUT)


def test_the_next_attempt_waits_for_its_turn_no_longer_than_the_first() -> None:
    world = building()
    world.becomes(make.killed("Evicted"))
    world.settle(1)
    world.overtaken = Verdict(reason=Reason.QUEUED)
    assert told(world.settle(10)) == (PENDING, Reason.QUEUED)
    assert world.wake_at == make.at(world.now + 24 * 3_600)
    assert told(world.settle(24 * 3_600)) == (FAILED, Reason.QUEUE_TIMED_OUT)


def test_a_build_that_waits_for_a_strangers_pod_to_end_does_so_no_longer_than_for_its_turn() -> None:
    world = building()
    world.uid, world.status = "created-again", type(world.status)()
    world.settle(1)
    assert "to end" in (world.status.message or "")
    assert world.wake_at == make.at(world.now + 24 * 3_600)


@pytest.mark.parametrize("hold", [False, True], ids=["while its pod is being deleted", "while the operator is on hold"])
def test_a_deadline_that_has_passed_wakes_nobody_again_and_again(*, hold: bool) -> None:
    world = World()
    world.settle()
    name = world.created[0]
    metadata = world.pods[name]["metadata"]
    if not hold:
        metadata = {**metadata, "deletionTimestamp": make.timestamp(make.at(3_600))}
    world.pods[name] = {**world.pods[name], "metadata": metadata}
    world.config = make.make_config(hold=hold)
    world.becomes(make.unschedulable("no node"))
    world.settle(4_000)
    assert world.wake_at is None
    assert told(world.status) == (PENDING, Reason.UNSCHEDULABLE)


# --- verdicts are of a run, results are of what a runner can know


def test_new_inputs_are_not_ended_by_what_was_said_of_the_old_ones() -> None:
    world = building()
    world.overtaken = OVERTAKEN
    world.settle(1)
    world.edit(args={"V": "2"})
    world.settle(1)
    world.becomes(make.broken(Reason.STOPPED))
    world.settle(1)
    assert world.status.run is not None
    assert (world.status.run.number, world.status.phase) == (2, PENDING)


@pytest.mark.parametrize(
    "reason",
    [
        Reason.SUSPENDED,
        Reason.RETRYING,
        Reason.SUPERSEDED,
        Reason.HELD,
        Reason.CANCELLED,
        Reason.TIMED_OUT,
        Reason.BUILDING,
    ],
    ids=str,
)
def test_a_result_that_says_what_only_the_operator_may_say_is_an_unknown_fault(reason: Reason) -> None:
    world = World({**make.SPEC, "retryLimit": 1})
    for _ in range(6):
        world.settle(400)
        if world.live():
            world.becomes(make.running(world.now))
            world.settle()
            world.becomes(make.broken(reason, finished=world.now))
    assert told(world.settle()) == (FAILED, Reason.UNKNOWN)
    assert len(world.created) == 2


def test_the_end_of_a_run_is_written_before_the_next_one_begins() -> None:
    world = building()
    world.edit(args={"V": "2"})
    world.settle(1)
    world.becomes(make.built())
    world.settle(1)
    seen = [(status.run.number, status.phase) for status in world.writes if status.run]
    assert seen[-2:] == [(1, SUCCEEDED), (2, PENDING)]
    assert world.writes[-2].observed_generation == 1


@pytest.mark.parametrize("step", ["cancel", "suspend", "edit"])
def test_a_pod_that_is_out_of_view_is_looked_for_before_anything_is_concluded(step: str) -> None:
    world = building()
    world.view.clear()  # as when somebody takes the label off it that the operator watches
    if step == "cancel":
        cancel(world, "1")
    else:
        world.edit(**({"suspend": True} if step == "suspend" else {"args": {"V": "2"}}))
    assert world.decide() == steps.Confirm(name=world.created[0])


def test_an_old_view_of_a_pod_that_has_ended_does_not_remove_it_and_its_log() -> None:
    world = World()
    world.settle()
    old = dict(world.view)
    world.becomes(make.built())
    assert told(world.settle(5)) == (SUCCEEDED, Reason.BUILT)
    world.view.update(old)
    assert not isinstance(world.decide(), steps.Stop)


def test_a_pod_that_has_been_made_again_under_the_last_ones_name_is_stopped_once_the_run_is_over() -> None:
    """By an operator that did not know yet, after somebody had removed the first one."""
    world = building()
    again = world.pods[world.created[-1]]
    world.becomes(make.built())
    assert told(world.settle(5)) == (SUCCEEDED, Reason.BUILT)
    name = world.created[-1]
    world.view[name] = world.pods[name] = {**again, "metadata": {**again["metadata"], "uid": "another"}}
    decision = world.decide()
    assert isinstance(decision, steps.Stop)
    assert decision.pod.uid == "another"


@pytest.mark.parametrize(
    ("word", "value", "said"),
    [
        ("cancel", "yes", "'yes' is not the number of a run"),
        ("rebuild-at", "now", "'now' is not a time such as"),
        ("done-at", "2026-01-01", "'2026-01-01' is not a time such as"),
    ],
)
def test_an_annotation_that_says_nothing_is_told_and_forgotten_when_it_is_corrected(
    word: str, value: str, said: str
) -> None:
    world = building()
    world.annotations[f"imagebuild.dev/{word}"] = value
    (warning,) = world.settle(1).warnings
    assert warning.startswith(f"imagebuild.dev/{word}: ")
    assert said in warning
    assert told(world.status) == (RUNNING, Reason.BUILDING)
    world.annotations.clear()
    assert world.settle(1).warnings == ()


# --- what another version has written


def test_a_run_that_is_over_with_a_reason_of_a_newer_version_is_neither_built_nor_written_again() -> None:
    world = building()
    world.becomes(make.built())
    status = make.status_document(world.settle(3))
    document = {**make.build_document(), "status": {**status, "reason": "BuiltBetter"}}
    context = Context(pods=(), config=world.config, now=make.at(7_200))
    decision = decide(parse(document), context)
    assert isinstance(decision, Report)
    assert decision.status == parse(document).status


def test_such_a_run_is_remembered_when_the_next_one_begins() -> None:
    world = building()
    world.becomes(make.built())
    status = make.status_document(world.settle(3))
    spec = {**make.SPEC, "args": {"A": "b"}}
    document = {**make.build_document(spec, generation=2), "status": {**status, "reason": "BuiltBetter"}}
    decision = decide(parse(document), Context(pods=(), config=world.config, now=make.at(7_200)))
    assert isinstance(decision, Queue)
    assert [(each.run, each.phase, each.reason) for each in decision.status.history] == [(1, SUCCEEDED, Reason.UNKNOWN)]


# --- since when


def test_a_build_waits_since_it_was_applied_however_late_an_operator_looks() -> None:
    world = World()
    assert world.settle(90).queued_at == make.at(0)


def test_a_rebuild_waits_since_it_was_seen_whatever_its_time_says() -> None:
    """Who writes an old time would come before all others."""
    world = building()
    world.becomes(make.built())
    world.settle(3)
    world.now = 100
    world.ask_for_a_rebuild()
    assert world.settle(50).queued_at == make.at(150)


def test_new_inputs_wait_since_they_were_seen() -> None:
    world = building()
    world.becomes(make.built())
    world.settle(3)
    world.edit(args={"A": "b"})
    assert world.settle(97).queued_at == make.at(world.now)


def test_time_for_its_turn_is_over_with_the_turn_also_where_the_pod_was_never_seen_to_wait() -> None:
    world = World({**make.SPEC, "timeouts": {"queue": "10m"}})
    world.overtaken = Verdict(reason=Reason.QUEUED)
    world.settle(1)
    world.overtaken = None
    world.settle(60, most=2)
    world.becomes(make.running(62))
    assert world.settle(2).turn_since is None
    world.becomes(make.killed("NodeLost"))
    assert told(world.settle(1_800)) == (PENDING, Reason.RETRYING)


GATED = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}


def test_time_for_its_turn_is_over_with_the_turn_in_another_queue_too() -> None:
    world = World({**make.SPEC, "timeouts": {"queue": "10m"}})
    world.settle()
    world.becomes(GATED)
    assert told(world.settle(1)) == (PENDING, Reason.SCHEDULING_GATED)
    world.becomes(make.running(60))
    assert world.settle(60).turn_since is None
    world.becomes(make.killed("NodeLost"))
    assert told(world.settle(1_800)) == (PENDING, Reason.RETRYING)


def test_a_rebuild_does_not_inherit_the_wait_of_the_run_before() -> None:
    world = World({**make.SPEC, "timeouts": {"queue": "10m"}})
    world.overtaken = Verdict(reason=Reason.QUEUED)
    world.settle()
    assert told(world.settle(600)) == (FAILED, Reason.QUEUE_TIMED_OUT)
    world.overtaken = None
    world.now += 100
    world.ask_for_a_rebuild()
    world.settle(1, most=2)
    world.becomes(GATED)
    assert told(world.settle(1)) == (PENDING, Reason.SCHEDULING_GATED)
    assert len(world.created) == 1


def test_a_run_that_another_version_has_ended_is_built_again_at_the_time_that_is_asked_for() -> None:
    later = {names.ANNOTATION_REBUILD_AT: make.timestamp(make.at(9_000))}
    decision = decide(
        _ended_by_a_newer_version(annotations=later), Context(pods=(), config=make.make_config(), now=make.at(7_200))
    )
    assert isinstance(decision, Report)
    assert decision.wake_at == make.at(9_000)


def test_an_edit_of_a_run_that_another_version_has_ended_is_seen() -> None:
    decision = decide(
        _ended_by_a_newer_version(generation=2), Context(pods=(), config=make.make_config(), now=make.at(7_200))
    )
    assert isinstance(decision, Report)
    assert (decision.status.phase, decision.status.observed_generation) == (SUCCEEDED, 2)


def _ended_by_a_newer_version(**more: Any) -> ImageBuild:
    world = building()
    world.becomes(make.built())
    status = make.status_document(world.settle(3))
    return parse({**make.build_document(**more), "status": {**status, "reason": "BuiltBetter"}})
