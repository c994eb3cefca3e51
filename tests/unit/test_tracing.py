"""Traces, as the operator decides about them: the configuration, the status, what the pod is told, and its own spans."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

import make
from imagebuild.api import names
from imagebuild.api.imagebuild import parse
from imagebuild.api.status import ImageBuildStatus, Phase, TraceStatus
from imagebuild.api.tracing import TracingConfig
from imagebuild.contract import plan
from imagebuild.contract.reasons import Reason
from imagebuild.contract.spans import Parent, Span, Tracing, span_id, trace_id
from imagebuild.core.observe import observe
from imagebuild.core.policy import within
from imagebuild.core.spans import spans
from unit.world import World

ENDPOINT = "http://otel-collector.observability:4318"
ON: dict[str, Any] = {"tracing": {"endpoint": ENDPOINT}}
UID = "build-uid"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GIVEN = {names.ANNOTATION_TRACEPARENT: f"00-{TRACE}-{SPAN}-01"}


# --- the configuration


@pytest.mark.parametrize(
    ("written", "endpoint"),
    [
        pytest.param(ENDPOINT, ENDPOINT, id="a name"),
        pytest.param("https://otlp.example.com", "https://otlp.example.com", id="TLS"),
        pytest.param("http://[fd00::1]:4318/", "http://[fd00::1]:4318", id="IPv6"),
        pytest.param(f"{ENDPOINT}/v1/traces", ENDPOINT, id="the whole address"),
        pytest.param("https://example.com/otlp/", "https://example.com/otlp", id="a path"),
    ],
)
def test_an_endpoint_is_where_v1_traces_is(written: str, endpoint: str) -> None:
    assert TracingConfig(endpoint=written).endpoint == endpoint


@pytest.mark.parametrize(
    ("written", "said"),
    [
        pytest.param({"endpoint": "http://otel:4317"}, "over gRPC", id="the other port"),
        pytest.param({"endpoint": "otel:4318"}, "must be http://HOST:PORT", id="no scheme"),
        pytest.param({"endpoint": "http://user:token@otel:4318"}, "without a user name", id="a password"),
        pytest.param({"endpoint": "http://otel:99999"}, "must be", id="no port"),
        pytest.param({"endpoint": "http://otel:4318?token=x"}, "must be", id="a query"),
        pytest.param({"endpoint": "http://otel:4318/a b"}, "must be", id="a space"),
        pytest.param({"link": "https://grafana.example.com/"}, "{traceID}", id="a link to no trace"),
        pytest.param({"link": "javascript:{traceID}"}, "must be", id="no address"),
        pytest.param({"headers": {"Authorization": "x"}}, "not permitted", id="a key that does not exist"),
    ],
)
def test_what_is_no_collector_is_refused_with_a_sentence(written: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("{", r"\{")):
        TracingConfig.model_validate(written)


def test_a_namespace_has_another_collector_or_none() -> None:
    other = {"match": "team-b", "tracing": {"endpoint": "http://b:4318"}}
    config = make.make_config(**ON, namespaces=[other, {"match": "team-c", "tracing": {}}])
    found = [within(config, name).tracing.endpoint for name in ("team-a", "team-b", "team-c")]
    assert found == [ENDPOINT, "http://b:4318", None]


# --- the status, and the pod


def planned(world: World) -> plan.Plan:
    return plan.parse(world.pods[world.created[-1]]["metadata"]["annotations"][names.ANNOTATION_PLAN])


def test_without_a_collector_there_is_no_trace_anywhere() -> None:
    world = World()
    assert world.settle().trace is None
    assert planned(world).tracing is None


def test_the_trace_is_the_run_s_and_the_pod_goes_on_from_its_attempt() -> None:
    world = World(tracing={"endpoint": ENDPOINT, "link": "https://grafana.example.com/{traceID}"})
    trace = trace_id(UID, 1)
    assert world.settle().trace == TraceStatus(id=trace, link=f"https://grafana.example.com/{trace}")
    assert planned(world).tracing == Tracing(
        url=f"{ENDPOINT}/v1/traces",
        parent=str(Parent(trace, span_id(UID, 1, 1))),
        resource=(
            "k8s.namespace.name=team-a",
            "cicd.pipeline.name=team-a/shop",
            "cicd.pipeline.run.id=build-uid/1",
        ),
    )


def test_attempts_of_a_run_share_a_trace_and_runs_do_not() -> None:
    world = World(**ON)
    first = world.settle().trace
    world.becomes(make.killed("Evicted"))
    world.settle()
    assert world.settle(10).trace == first
    world.becomes(make.built(finished=20))
    world.settle()
    world.edit(args={"A": "1"})
    world.settle()
    assert world.status.trace == TraceStatus(id=trace_id(UID, 2))


def test_the_annotation_makes_it_a_part_of_another_trace_and_counts_when_the_run_begins() -> None:
    world = World(**ON)
    world.annotations |= GIVEN
    assert world.settle().trace == TraceStatus(id=TRACE, parent=SPAN)
    assert planned(world).tracing == Tracing(
        url=f"{ENDPOINT}/v1/traces",
        parent=str(Parent(TRACE, span_id(UID, 1, 1))),
        resource=planned(world).tracing.resource,  # type: ignore[union-attr]
    )
    world.annotations = {names.ANNOTATION_TRACEPARENT: f"00-{'1' * 32}-{SPAN}-01"}
    world.becomes(make.running())
    assert world.settle().trace == TraceStatus(id=TRACE, parent=SPAN)


def test_who_began_the_trace_decides_that_it_is_not_kept() -> None:
    world = World(**ON)
    world.annotations[names.ANNOTATION_TRACEPARENT] = f"00-{TRACE}-{SPAN}-00"
    assert world.settle().trace is None
    assert planned(world).tracing is None
    assert world.status.warnings == ()


@pytest.mark.parametrize("config", [{}, ON], ids=["a collector that comes later", "a pipeline that keeps it after all"])
def test_a_run_that_has_begun_without_a_trace_gets_none(config: dict[str, Any]) -> None:
    world = World(**config)
    for flags in ("00", "01"):
        world.annotations[names.ANNOTATION_TRACEPARENT] = f"00-{TRACE}-{SPAN}-{flags}"
        world.settle()
        world.becomes(make.running())
        assert world.settle().trace is None
        world.config = make.make_config(**ON)


def test_an_annotation_that_is_no_traceparent_is_a_warning_and_the_trace_stands_for_itself() -> None:
    world = World(**ON)
    world.annotations[names.ANNOTATION_TRACEPARENT] = "x" * 1000
    assert world.settle().trace == TraceStatus(id=trace_id(UID, 1))
    (warning,) = world.status.warnings
    assert warning.startswith("imagebuild.dev/traceparent: 'xxx")
    assert warning.endswith("is not 00-TRACE-SPAN-01; the trace stands for itself")
    assert len(warning) < 200


def test_pods_of_builds_that_are_not_trusted_send_nothing() -> None:
    world = World({**make.SPEC, "trust": "Untrusted"}, **ON, isolation="Userns")
    assert world.settle().trace is not None
    assert planned(world).tracing is None


# --- the operator's spans


class Traced(World):
    """One that keeps what would be sent."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**{**ON, **config})
        self.sent: list[Span] = []

    def _write(self, status: ImageBuildStatus) -> bool:
        before = self.build
        if not super()._write(status):
            return False
        pods = [observe(document) for document in self.view.values()]
        self.sent += spans(before, status, pods, make.at(self.now))
        return True

    def tree(self) -> list[tuple[str, str, float, float]]:
        """Name, name of what it is below, start and end in seconds of the story."""
        known = {each.id: each.name for each in self.sent}
        zero = make.at(0).timestamp()
        return [
            (each.name, known.get(each.parent.span, "?") if each.parent else "", each.start - zero, each.end - zero)
            for each in self.sent
        ]


def test_a_run_that_goes_well_is_a_root_with_its_wait_and_its_attempt() -> None:
    world = Traced()
    world.slot = False
    world.settle()
    world.slot = True
    world.settle(30)
    world.becomes(make.running(started=33))
    world.settle(5)
    world.becomes(make.built(started=33, finished=40, steps_total=4, steps_cached=3))
    world.settle(10)
    assert world.tree() == [
        ("queue", "BUILD", 0, 30),
        ("attempt", "BUILD", 30, 41),
        ("start pod", "attempt", 30, 33),
        ("BUILD", "", 0, 41),
    ]
    root = world.sent[-1]
    assert (root.id, root.trace, root.error) == (span_id(UID, 1), trace_id(UID, 1), "")
    assert root.attributes == {
        "cicd.pipeline.result": "success",
        "imagebuild.reason": "Built",
        "vcs.ref.head.revision": make.COMMIT,
        "vcs.ref.head.name": "main",
        "container.image.name": "registry.example.com/shop",
        "oci.manifest.digest": make.DIGEST,
        "imagebuild.steps": 4,
        "imagebuild.steps.cached": 3,
        "imagebuild.attempts": 1,
    }


def test_the_wait_and_the_run_begin_at_one_time() -> None:
    world = Traced()
    world.now = 0.75
    world.settle()
    world.becomes(make.built(started=1, finished=5))
    world.settle(6)
    assert {each.start for each in world.sent if each.name in ("queue", "BUILD")} == {make.at(0).timestamp()}


def test_each_attempt_is_told_once_when_it_is_over_and_with_why() -> None:
    world = Traced()
    world.settle()
    world.becomes(make.killed("Evicted"))
    world.settle(3)
    world.settle(10)
    world.becomes(make.running(started=14))
    world.settle(1)
    world.becomes(make.broken(Reason.STEP_FAILED, "exit code 2", finished=20))
    world.settle(10)
    world.settle(10)
    attempts = [each for each in world.sent if each.name == "attempt"]
    assert [(each.attributes["imagebuild.attempt"], each.attributes["error.type"]) for each in attempts] == [
        (1, "Evicted"),
        (2, "StepFailed"),
    ]
    assert len([each for each in world.sent if each.name == "queue"]) == 1
    (root,) = (each for each in world.sent if each.name == "BUILD")
    assert root.attributes["cicd.pipeline.result"] == "failure"
    assert root.error == "StepFailed: exit code 2"


def test_a_pod_that_is_gone_is_an_attempt_that_ended_when_that_was_seen() -> None:
    world = Traced(retryLimit=0)
    world.settle()
    world.becomes(make.running(started=2))
    world.settle(2)
    world.vanishes()
    world.settle(10)
    assert ("attempt", "BUILD", 2, 12) in world.tree()
    assert world.sent[-1].attributes["cicd.pipeline.result"] == "error"


@pytest.mark.parametrize(
    ("end", "result", "reason"),
    [
        pytest.param({"cancel": "1"}, "cancellation", "Cancelled", id="cancelled"),
        pytest.param({}, "timeout", "QueueTimedOut", id="too long in the queue"),
    ],
)
def test_a_run_that_never_had_a_pod_is_a_root_with_its_wait(end: dict[str, str], result: str, reason: str) -> None:
    world = Traced(timeouts={"queue": "1m"})
    world.slot = False
    world.settle()
    world.annotations |= {f"{names.GROUP}/{key}": value for key, value in end.items()}
    world.settle(70)
    assert world.tree() == [("queue", "BUILD", 0, 70), ("BUILD", "", 0, 70)]
    root = world.sent[-1]
    assert (root.attributes["cicd.pipeline.result"], root.attributes["error.type"]) == (result, reason)


def test_the_root_of_a_run_that_ci_asked_for_is_below_ci_s_span() -> None:
    world = Traced()
    world.annotations |= GIVEN
    world.settle()
    world.becomes(make.built(finished=5))
    world.settle(6)
    assert world.sent[-1].parent == Parent(TRACE, SPAN)
    assert {each.trace for each in world.sent} == {TRACE}


def test_statuses_of_no_trace_give_no_spans() -> None:
    build = parse(make.build_document())
    over = ImageBuildStatus(phase=Phase.SUCCEEDED, reason=Reason.BUILT)
    assert spans(build, over, (), make.at(0)) == ()
