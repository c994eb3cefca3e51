"""What a pod's document says about the build, and which of several causes counts."""

from __future__ import annotations

from typing import Any

import pytest

import make
from imagebuild.api import names
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import BuildResult, Essentials
from imagebuild.core.observe import State, observe

STOPPED = make.broken(Reason.STOPPED, "asked to end")
SAID_NOTHING = make.ended(code=1)


def disrupted(reason: str) -> make.Document:
    """Kubernetes ended it, and the runner heard only TERM."""
    condition = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "by somebody"}
    return {**STOPPED, "conditions": [condition]}


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        pytest.param({}, State.WAITING, Reason.STARTING, id="just created"),
        pytest.param(make.waiting("ContainerCreating"), State.WAITING, Reason.STARTING, id="container being created"),
        pytest.param(
            {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]},
            State.WAITING,
            Reason.SCHEDULING_GATED,
            id="a queue holds it back",
        ),
        pytest.param(make.unschedulable("0/3 nodes"), State.WAITING, Reason.UNSCHEDULABLE, id="no node takes it"),
        pytest.param(
            make.unschedulable('0/1 nodes are available: persistentvolumeclaim "data" not found.'),
            State.WAITING,
            Reason.CLAIM_MISSING,
            id="its claim is not there",
        ),
        pytest.param(
            make.unschedulable("pod has unbound immediate PersistentVolumeClaims"),
            State.WAITING,
            Reason.UNSCHEDULABLE,
            id="its claim has no volume",
        ),
        pytest.param(make.waiting("ErrImagePull"), State.WAITING, Reason.IMAGE_PULL_FAILED, id="first failed pull"),
        pytest.param(make.waiting("ImagePullBackOff"), State.WAITING, Reason.IMAGE_PULL_FAILED, id="later failed pull"),
        pytest.param(
            make.waiting("CreateContainerError", 'cannot load seccomp profile "/x": no such file'),
            State.WAITING,
            Reason.PROFILE_MISSING,
            id="no seccomp profile on the node",
        ),
        pytest.param(
            make.waiting("CreateContainerError", "no such device"),
            State.WAITING,
            Reason.CONTAINER_NOT_STARTED,
            id="the container cannot be made",
        ),
        pytest.param(make.running(), State.RUNNING, Reason.BUILDING, id="it runs"),
        pytest.param(make.built(), State.ENDED, Reason.BUILT, id="it has built"),
        pytest.param(make.broken(Reason.STEP_FAILED), State.ENDED, Reason.STEP_FAILED, id="it says why it failed"),
        pytest.param(STOPPED, State.ENDED, Reason.POD_LOST, id="a bare TERM is somebody deleting the pod"),
        pytest.param(make.killed("Evicted"), State.ENDED, Reason.EVICTED, id="evicted before it had started"),
        pytest.param(make.killed("DeadlineExceeded"), State.ENDED, Reason.TIMED_OUT, id="its time is over"),
        pytest.param(make.killed("NodeShutdown"), State.ENDED, Reason.NODE_LOST, id="its node is shut down"),
        pytest.param(
            {
                "containerStatuses": [
                    {"name": "build", "state": {"terminated": {"exitCode": 128, "reason": "StartError"}}}
                ]
            },
            State.ENDED,
            Reason.CONTAINER_NOT_STARTED,
            id="the runtime cannot start it",
        ),
        pytest.param(make.killed("Preempting"), State.ENDED, Reason.PREEMPTED, id="the kubelet made room"),
        pytest.param(
            disrupted("PreemptionByScheduler"), State.ENDED, Reason.PREEMPTED, id="the scheduler made room: a bare TERM"
        ),
        pytest.param(disrupted("DeletionByTaintManager"), State.ENDED, Reason.NODE_LOST, id="its node does not answer"),
        pytest.param(disrupted("EvictionByEvictionAPI"), State.ENDED, Reason.EVICTED, id="its node is drained"),
        pytest.param(disrupted("New"), State.ENDED, Reason.POD_LOST, id="disrupted in a way that is not known here"),
        pytest.param(make.killed("Other"), State.ENDED, Reason.POD_LOST, id="failed without a container"),
        pytest.param(SAID_NOTHING, State.ENDED, Reason.UNKNOWN, id="it ended without a word"),
        pytest.param(make.ended("panic!"), State.ENDED, Reason.UNKNOWN, id="it ended with words of another program"),
        pytest.param(make.ended(code=0), State.ENDED, Reason.UNKNOWN, id="exit code 0 alone is no success"),
    ],
)
def test_a_pod_is_in_a_state_for_a_reason(status: dict[str, Any], state: State, reason: Reason) -> None:
    seen = make.make_pod(status=status)
    assert (seen.state, seen.reason, seen.live) == (state, reason, state is not State.ENDED)


def oom_killed(result: BuildResult | None = None) -> dict[str, Any]:
    status = make.ended(result, code=137)
    terminated = {**status["containerStatuses"][0]["state"]["terminated"], "reason": "OOMKilled"}
    return {**status, "containerStatuses": [{"name": "build", "state": {"terminated": terminated}}]}


PUSHED = BuildResult(essentials=Essentials(reason=Reason.STOPPED, digest=make.DIGEST))
STEP = BuildResult(essentials=Essentials(reason=Reason.STEP_FAILED))


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        pytest.param(make.ended(PUSHED, reason="DeadlineExceeded"), Reason.BUILT, id="pushed, then out of time"),
        pytest.param(oom_killed(PUSHED), Reason.BUILT, id="pushed, then out of memory"),
        pytest.param(
            make.ended(STEP, reason="DeadlineExceeded"),
            Reason.STEP_FAILED,
            id="failed, then out of time for its archive",
        ),
        pytest.param(make.ended(STEP, reason="Evicted"), Reason.EVICTED, id="evicted, and a step failed by that"),
        pytest.param({**oom_killed(), "reason": "Evicted"}, Reason.EVICTED, id="evicted and out of memory"),
        pytest.param(oom_killed(STEP), Reason.OUT_OF_MEMORY, id="out of memory, and a step failed by that"),
        pytest.param(oom_killed(), Reason.OUT_OF_MEMORY, id="out of memory without a word"),
    ],
)
def test_the_weightier_of_two_causes_counts(status: dict[str, Any], reason: Reason) -> None:
    assert make.make_pod(status=status).reason is reason


@pytest.mark.parametrize(
    ("asked", "status", "reason"),
    [
        pytest.param("Superseded", make.killed("DeadlineExceeded"), Reason.SUPERSEDED, id="the lowered deadline"),
        pytest.param("Superseded", make.broken(Reason.SUPERSEDED), Reason.SUPERSEDED, id="its own word"),
        pytest.param("Superseded", make.built(), Reason.BUILT, id="too late: it has built"),
        pytest.param("whatever", make.killed("DeadlineExceeded"), Reason.TIMED_OUT, id="a word that we never write"),
        pytest.param("Built", make.killed("DeadlineExceeded"), Reason.TIMED_OUT, id="a reason that stops nothing"),
    ],
)
def test_a_pod_that_was_asked_to_stop_ends_for_that_reason(asked: str, status: dict[str, Any], reason: Reason) -> None:
    seen = make.make_pod(status=status, annotations={names.ANNOTATION_STOP: asked})
    assert (seen.stopping, seen.reason) == (True, reason)


def test_an_end_has_its_times_and_its_result() -> None:
    seen = make.make_pod(status=make.built(finished=30))
    assert (seen.started_at, seen.finished_at) == (make.at(1), make.at(30))
    assert seen.result is not None
    assert seen.result.essentials.digest == make.DIGEST


def test_identity_comes_from_labels_and_the_owner() -> None:
    seen = make.make_pod(run=3, attempt=2, uid="u")
    assert (seen.run, seen.attempt, seen.uid, seen.owner_uid) == (3, 2, "u", "build-uid")


def test_containers_that_others_inject_do_not_count() -> None:
    proxy = {"name": "proxy", "state": {"terminated": {"exitCode": 9}}}
    status = make.running()
    seen = make.make_pod(status={**status, "containerStatuses": [proxy, *status["containerStatuses"]]})
    assert seen.state is State.RUNNING


def test_words_of_the_cluster_are_kept_and_bounded() -> None:
    assert make.make_pod(status=make.unschedulable("0/3 nodes: cpu")).message == "0/3 nodes: cpu"
    assert len(make.make_pod(status=make.waiting("ErrImagePull", "x" * 9000)).message) == 500
    assert len(make.make_pod(status=make.killed("Evicted", "x" * 9000)).message) == 500


@pytest.mark.parametrize("label", ["", "x", "-1", "1e9", "½"])
def test_a_label_that_is_no_number_harms_nobody(label: str) -> None:
    document = make.pod_document()
    document["metadata"]["labels"] |= {names.LABEL_RUN: label, names.LABEL_ATTEMPT: label}
    seen = observe(document)
    assert (seen.run, seen.attempt) == (0, 0)


def test_an_annotation_that_is_no_time_harms_nobody() -> None:
    assert make.make_pod(annotations={names.ANNOTATION_REBUILD_AT: "soon"}).rebuild_at is None
