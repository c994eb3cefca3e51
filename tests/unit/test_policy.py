"""What the administrator sets for a namespace, and what an ImageBuild asks for and does not get."""

from __future__ import annotations

from typing import Any

import pytest

import make
from imagebuild.api import names
from imagebuild.api.config import OperatorConfig
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.status import Phase
from imagebuild.contract.reasons import Reason
from imagebuild.core.limits import limit
from imagebuild.core.policy import refusal, within
from imagebuild.core.scheduling import resources
from unit.world import World, told


def spec(**fields: Any) -> ImageBuildSpec:
    return ImageBuildSpec.model_validate({"output": {"discard": True}, **fields})


def config(namespace: str = "team-a", **given: Any) -> OperatorConfig:
    return within(make.make_config(**given), namespace)


# --- what is allowed


ASKED = {
    "serviceAccounts": ({"serviceAccountName": "builder"}, "spec.pod.serviceAccountName: builder"),
    "priorityClasses": ({"priorityClassName": "high"}, "spec.pod.priorityClassName: high"),
    "runtimeClasses": ({"runtimeClassName": "kata"}, "spec.pod.runtimeClassName: kata"),
    "labels": ({"labels": {"team": "a"}}, "spec.pod.labels: team=a"),
    "annotations": ({"annotations": {"eks.example.com/role": "x"}}, "spec.pod.annotations: eks.example.com/role=x"),
}


@pytest.mark.parametrize("key", ASKED)
def test_what_is_not_listed_is_refused_by_field_value_and_place(key: str) -> None:
    pod, said = ASKED[key]
    assert refusal(spec(pod=pod), config(), "team-a") == (
        f"{said} is not allowed: the administrator lists what is in pod.allow.{key}"
    )


ALLOWED = {
    "serviceAccounts": ["other", "build*"],
    "priorityClasses": ["high"],
    "runtimeClasses": ["*"],
    "labels": ["team=a"],
    "annotations": ["eks.example.com/role"],
}


@pytest.mark.parametrize("key", ASKED)
def test_what_is_listed_is_allowed(key: str) -> None:
    given = config(pod={"allow": {key: ALLOWED[key]}})
    assert refusal(spec(pod=ASKED[key][0]), given, "team-a") == ""


@pytest.mark.parametrize(
    ("patterns", "label", "allowed"),
    [
        pytest.param(["team"], {"team": "b"}, True, id="a key allows every value"),
        pytest.param(["team=a*"], {"team": "ab"}, True, id="a pattern of values"),
        pytest.param(["team=a"], {"team": "b"}, False, id="another value"),
        pytest.param(["team"], {"teams": "b"}, False, id="a longer key"),
        pytest.param(["example.com/*"], {"example.com/a": "b"}, True, id="a pattern of keys"),
        pytest.param(["team", "app"], {"team": "b", "tier": "c"}, False, id="one of two"),
        pytest.param(["*"], {"imagebuild.dev/build": "other"}, False, id="the operator's own, whatever is listed"),
        pytest.param(["*"], {"app.kubernetes.io/managed-by": "me"}, False, id="the mark by which it knows its pods"),
    ],
)
def test_labels_are_allowed_by_key_or_by_key_and_value(
    patterns: list[str], label: dict[str, str], allowed: bool
) -> None:
    given = config(pod={"allow": {"labels": patterns}})
    assert (refusal(spec(pod={"labels": label}), given, "team-a") == "") is allowed


def test_a_namespaces_list_stands_instead_of_the_one_for_all_and_is_named() -> None:
    policy = {"match": "team-*", "allow": {"labels": ["app"]}}
    given = config(pod={"allow": {"labels": ["team"], "serviceAccounts": ["builder"]}}, namespaces=[policy])
    assert refusal(spec(pod={"labels": {"app": "x"}, "serviceAccountName": "builder"}), given, "team-a") == ""
    told = refusal(spec(pod={"labels": {"team": "x"}}), given, "team-a")
    assert told.endswith("the administrator lists what is in namespaces[team-*].allow.labels")
    told = refusal(spec(pod={"serviceAccountName": "x"}), given, "team-a")
    assert told.endswith("the administrator lists what is in pod.allow.serviceAccounts")


def test_a_namespaces_empty_list_allows_nothing_and_is_named() -> None:
    given = config(pod={"allow": {"labels": ["team"]}}, namespaces=[{"match": "team-*", "allow": {"labels": []}}])
    told = refusal(spec(pod={"labels": {"team": "x"}}), given, "team-a")
    assert told.endswith("the administrator lists what is in namespaces[team-*].allow.labels")


@pytest.mark.parametrize(
    ("annotation", "allowed"),
    [
        pytest.param({"example.com/queue": "team-x"}, True, id="what is meant"),
        pytest.param({"iam.example.com/role": "admin/queue=team-x"}, False, id="a value that looks like it"),
        pytest.param({"example.com/queue": "other=team-x"}, False, id="a value with the sign in it"),
    ],
)
def test_a_pattern_of_names_is_not_met_by_what_a_value_says(annotation: dict[str, str], allowed: bool) -> None:
    given = config(pod={"allow": {"annotations": ["*/queue=team-*"]}})
    assert (refusal(spec(pod={"annotations": annotation}), given, "team-a") == "") is allowed


def test_a_pod_always_has_the_marks_of_the_operator_over_those_of_the_user() -> None:
    world = World({**make.SPEC, "pod": {"labels": {"team": "a"}}}, pod={"allow": {"labels": ["team"]}})
    world.settle()
    labels = world.pods[world.created[-1]]["metadata"]["labels"]
    assert (labels["team"], labels[names.MANAGED_BY]) == ("a", names.MANAGER)


# --- defaults and maxima


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param(
            {"pod": {"resources": {"limits": {"memory": "8Gi"}}}},
            "spec.pod.resources.limits.memory: 8Gi is more than the 4Gi",
            id="a limit",
        ),
        pytest.param(
            {"pod": {"resources": {"requests": {"memory": "5000Mi"}}}},
            "spec.pod.resources.requests.memory: 5000Mi is more than the 4Gi",
            id="a request",
        ),
        pytest.param({"timeouts": {"build": "61m"}}, "spec.timeouts.build: 61m is more than the 1h", id="a time"),
        pytest.param({"pod": {"resources": {"limits": {"memory": "4096Mi", "cpu": "64"}}}}, "", id="no more than that"),
    ],
)
def test_more_than_the_maximum_is_refused_by_field_and_value(asked: dict[str, Any], said: str) -> None:
    given = config(maxima={"resources": {"memory": "4Gi"}, "timeouts": {"build": "1h"}})
    assert refusal(spec(**asked), given, "team-a").startswith(said)
    assert bool(said) is bool(refusal(spec(**asked), given, "team-a"))


def test_who_asks_for_nothing_gets_no_more_than_the_maximum() -> None:
    given = config(maxima={"resources": {"memory": "1Gi", "cpu": "2"}, "timeouts": {"build": "10m", "silence": "5m"}})
    assert resources(spec(), given) == {
        "requests": {"cpu": "250m", "memory": "512Mi", "ephemeral-storage": "2Gi"},
        "limits": {"cpu": "2", "memory": "1Gi"},
    }
    assert (limit(spec(), given, "build"), limit(spec(), given, "silence")) == ("10m", "5m")


def test_a_request_without_a_limit_has_the_maximum_as_its_limit() -> None:
    given = config(maxima={"resources": {"memory": "8Gi"}})
    asked = spec(pod={"resources": {"requests": {"memory": "6Gi"}}})
    assert resources(asked, given)["limits"] == {"memory": "8Gi"}


def test_a_namespace_has_defaults_and_maxima_of_its_own() -> None:
    policy = {
        "match": "team-a",
        "defaults": {"resources": {"limits": {"memory": "2Gi"}}, "timeouts": {"build": "20m"}},
        "maxima": {"timeouts": {"build": "30m"}},
    }
    wide = {"namespaces": [policy], "maxima": {"timeouts": {"build": "2h", "start": "5m"}}}
    mine, other = config("team-a", **wide), config("team-b", **wide)
    assert (limit(spec(), mine, "build"), limit(spec(), other, "build")) == ("20m", "1h")
    assert (limit(spec(), mine, "start"), limit(spec(), other, "start")) == ("5m", "5m")
    assert (mine.maxima.timeouts.build, other.maxima.timeouts.build) == ("30m", "2h")
    assert resources(spec(), mine)["limits"] == {"memory": "2Gi"}


@pytest.mark.parametrize(
    ("defaults", "wanted"),
    [
        pytest.param({"limits": {"memory": "256Mi"}}, ("256Mi", "256Mi"), id="a limit below the request for all"),
        pytest.param({"requests": {"memory": "8Gi"}}, ("8Gi", "8Gi"), id="a request above the limit for all"),
        pytest.param({"limits": {"memory": "2Gi"}}, ("512Mi", "2Gi"), id="a limit above it"),
    ],
)
def test_defaults_of_a_namespace_and_those_for_all_make_a_pod_together(
    defaults: dict[str, Any], wanted: tuple[str, str]
) -> None:
    given = config(namespaces=[{"match": "team-a", "defaults": {"resources": defaults}}])
    found = resources(spec(), given)
    assert (found["requests"]["memory"], found["limits"]["memory"]) == wanted


@pytest.mark.parametrize("namespace", ["team-a", "team-b"])
def test_the_configuration_in_force_is_in_force_in_itself(namespace: str) -> None:
    policy = {
        "match": "team-a",
        "isolation": "Userns",
        "allow": {"labels": ["a"]},
        "maxima": {"timeouts": {"build": "1m"}},
    }
    once = config(namespace, namespaces=[policy], maxima={"resources": {"cpu": "1"}})
    assert within(once, namespace) == once


# --- what becomes of the build


def test_what_is_not_allowed_ends_the_run_before_it_has_a_pod() -> None:
    world = World({**make.SPEC, "pod": {"priorityClassName": "high"}})
    status = world.settle()
    assert told(status) == (Phase.FAILED, Reason.NOT_ALLOWED)
    assert status.failure is not None
    assert status.failure.message == status.message
    assert "ask the administrator" in (status.failure.next_step or "")
    assert world.created == []


def test_a_build_that_runs_goes_on_when_the_list_gets_shorter() -> None:
    world = World({**make.SPEC, "pod": {"priorityClassName": "high"}}, pod={"allow": {"priorityClasses": ["high"]}})
    world.settle()
    world.becomes(make.running(world.now + 1))
    world.config = make.make_config()
    assert told(world.settle(5)) == (Phase.RUNNING, Reason.BUILDING)


def test_a_pod_that_waits_is_replaced_when_its_labels_are_corrected() -> None:
    allow = {"allow": {"labels": ["team"]}}
    world = World({**make.SPEC, "pod": {"labels": {"team": "a"}}}, pod=allow)
    world.settle()
    world.becomes(make.unschedulable("no node"))
    world.edit(pod={"labels": {"team": "b"}})
    world.settle(5)
    (pod,) = world.pods.values()
    assert pod["metadata"]["labels"]["team"] == "b"


def test_the_policy_in_force_is_in_the_status() -> None:
    world = World(namespaces=[{"match": "team-*", "isolation": "Userns"}])
    status = world.settle()
    assert status.effective is not None
    assert (status.effective.policy, status.effective.isolation) == ("team-*", "Userns")


# --- a queue of others: Kueue


def gated() -> make.Document:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "SchedulingGated",
        "message": "Scheduling is blocked due to non-empty scheduling gates",
    }
    return {"phase": "Pending", "conditions": [condition]}


def held_back(**timeouts: str) -> World:
    world = World({**make.SPEC, "timeouts": timeouts})
    world.settle()
    world.becomes(gated())
    world.settle(5)
    return world


def test_a_pod_that_a_queue_holds_back_waits_for_its_turn_and_not_for_what_is_missing() -> None:
    world = held_back(start="10m")
    assert told(world.status) == (Phase.PENDING, Reason.SCHEDULING_GATED)
    assert told(world.settle(7200)) == (Phase.PENDING, Reason.SCHEDULING_GATED)
    assert len(world.created) == 1


def test_a_pod_that_a_queue_never_lets_go_is_given_up_in_time() -> None:
    world = held_back(queue="10m")
    world.settle(700)
    assert told(world.settle(10)) == (Phase.FAILED, Reason.QUEUE_TIMED_OUT)
    assert world.pods == {}


def test_what_is_missing_counts_from_when_the_queue_lets_the_pod_go() -> None:
    world = held_back(start="10m")
    world.settle(7200)
    world.becomes(make.unschedulable("no node"))
    assert told(world.settle(1)) == (Phase.PENDING, Reason.UNSCHEDULABLE)
    assert told(world.settle(500)) == (Phase.PENDING, Reason.UNSCHEDULABLE)
    world.settle(110)
    assert told(world.settle(10)) == (Phase.FAILED, Reason.START_TIMED_OUT)
