"""The runner's spans, and the environment of BuildKit's programs, by the real runner and a collector that may be away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from collector import Collector, collecting, secured
from imagebuild.contract.plan import Dockerfile, HttpSource, Output, Plan, Proxy
from imagebuild.contract.reasons import Reason
from imagebuild.contract.spans import Parent, Tracing, parent, span_id, trace_id
from runner.pod import CACHE, DONE, EXPORT, FAILED, METADATA, PUSHED, Pod, vertex

ATTEMPT = Parent(trace_id("uid", 1), span_id("uid", 1, 1))
ABOUT = ("k8s.namespace.name=team-a", "cicd.pipeline.name=team-a/shop")
PHASES = {("", "fetch"), ("", "look into registries"), ("", "start buildkitd"), ("", "solve")}
EXPORTS = {("solve", "export image"), ("solve", "push"), ("solve", "export cache")}
PUSHING = {"statuses": [{"id": "pushing layers", "vertex": EXPORT, "started": "2026-01-01T00:00:00.5Z", **DONE}]}
WHOLE: dict[str, Any] = {
    "trace": [vertex(**DONE), *PUSHED, PUSHING, vertex(CACHE, "exporting cache to registry", **DONE)],
    "metadata": METADATA,
}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


def asked(url: str, **given: Any) -> Plan:
    wanted = Tracing(url=f"{url}/v1/traces", parent=str(ATTEMPT), resource=ABOUT)
    inline = Plan(dockerfile=Dockerfile(inline="FROM scratch\n"), output=Output(images=("127.0.0.1:1/a:1",)))
    return replace(inline, tracing=wanted, **given)


def test_each_phase_is_a_span_below_the_attempt_and_exports_are_below_the_solve(pod: Pod, collector: Collector) -> None:
    pod.behave(calls=[WHOLE])
    found, log, _ = pod.run(asked(collector.url))
    assert found.essentials.reason is Reason.BUILT, log
    assert collector.tree() == PHASES | EXPORTS, log
    assert {span.trace for span in collector.spans} == {ATTEMPT.trace}
    assert {span.parent for span in collector.spans if ("", span.name) in PHASES} == {ATTEMPT.span}
    assert {span.service for span in collector.spans} == {"imagebuild-runner"}
    solve = collector.one("solve")
    assert solve.about["k8s.namespace.name"] == "team-a"
    assert solve.about["k8s.pod.name"]
    assert solve.start <= solve.end


def test_buildkitd_sends_traces_and_no_metrics_and_buildctl_goes_on_from_the_solve(
    pod: Pod, collector: Collector
) -> None:
    pod.run(asked(collector.url))
    (daemon,), (client,) = pod.seen("buildkitd"), pod.seen("buildctl")
    told = {name: value for name, value in daemon["env"].items() if name.startswith(("OTEL", "TRACE"))}
    about = told.pop("OTEL_RESOURCE_ATTRIBUTES")
    assert about.startswith("k8s.namespace.name=team-a,cicd.pipeline.name=team-a/shop,k8s.pod.name=")
    assert told == {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/v1/traces",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2000",
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "0",
        "OTEL_SPAN_EVENT_COUNT_LIMIT": "0",
    }
    assert parent(client["env"]["TRACEPARENT"]) == Parent(ATTEMPT.trace, collector.one("solve").id)
    assert not [name for name in client["env"] if name.startswith("OTEL_EXPORTER")], "it would send twice"
    assert client["env"]["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"] == "0", "its arguments would be one"


def test_what_stands_in_the_way_is_said_of_the_span_in_which_it_did(pod: Pod, collector: Collector) -> None:
    found, _, _ = pod.run(asked(collector.url, http=HttpSource(url="http://127.0.0.1:1/a.tar")))
    assert found.essentials.reason is Reason.SOURCE_UNAVAILABLE
    assert collector.one("fetch").error.startswith("SourceUnavailable: ")


def test_a_build_that_fails_has_its_trace(pod: Pod, collector: Collector) -> None:
    pod.behave(calls=[FAILED])
    found, _, code = pod.run(asked(collector.url))
    assert (found.essentials.reason, code) == (Reason.STEP_FAILED, 1)
    assert collector.tree() == PHASES


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"answer": 500}, "answers 500", id="it is broken"),
        pytest.param({"answer": 404}, "answers 404", id="it is something else"),
    ],
)
def test_a_collector_that_refuses_costs_a_line_of_the_log(pod: Pod, given: dict[str, Any], said: str) -> None:
    with collecting(**given) as collector:
        found, log, code = pod.run(asked(collector.url))
    assert (found.essentials.reason, code) == (Reason.BUILT, 0)
    assert log.count("imagebuild: no traces: ") == 1, log
    assert said in log
    assert found.essentials.message == ""


def test_what_a_collector_says_is_no_more_than_a_few_words_that_steer_nothing(pod: Pod) -> None:
    with collecting(answer=500, reason="\x1b[2J" + "x" * 60_000) as collector:
        _, log, _ = pod.run(asked(collector.url))
    (line,) = (line for line in log.splitlines() if line.startswith("imagebuild: no traces: "))
    assert r"answers 500 \x1b[2Jxxx" in line
    assert len(line) < 250


def test_where_no_collector_is_the_build_is_as_ever(pod: Pod) -> None:
    found, log, code = pod.run(asked("http://127.0.0.1:1"))
    assert (found.essentials.reason, code) == (Reason.BUILT, 0)
    assert "imagebuild: no traces: http://127.0.0.1:1/v1/traces: " in log


def test_nobody_waits_for_a_collector_that_hangs(pod: Pod) -> None:
    with collecting(hangs=True) as collector:
        running = pod.start(asked(collector.url))
        found, log, code = pod.end(running)  # before the collector ends
        assert collector.spans == []
    assert (found.essentials.reason, code) == (Reason.BUILT, 0), log


def test_the_collector_is_reached_without_the_egress_proxy(pod: Pod, collector: Collector) -> None:
    pod.run(asked(collector.url, proxy=Proxy(http="127.0.0.1:1", https="127.0.0.1:1", direct=("a.example",))))
    (daemon,) = pod.seen("buildkitd")
    assert daemon["env"]["NO_PROXY"].endswith("a.example,127.0.0.1")
    assert daemon["env"]["no_proxy"] == daemon["env"]["NO_PROXY"]
    assert collector.one("fetch")


def test_a_collector_with_tls_is_trusted_by_the_authorities_of_the_plan_and_by_no_others(
    pod: Pod, tmp_path: Path
) -> None:
    context, authority = secured(tmp_path)
    with collecting(tls=context) as collector:
        found, log, _ = pod.run(asked(collector.url))
        assert (found.essentials.reason, collector.spans) == (Reason.BUILT, [])
        assert "CERTIFICATE_VERIFY_FAILED" in log
        (tmp_path / "other").mkdir()
        other = Pod(tmp_path / "other")
        other.run(asked(collector.url, certificates=authority))
        assert collector.tree() >= PHASES
        assert other.seen("buildkitd")[0]["env"]["SSL_CERT_FILE"] == str(other.work / "ca.crt")


@pytest.mark.parametrize("written", ["", "00-0-0-01", "x" * 1000])
def test_a_parent_that_is_none_means_no_trace(pod: Pod, collector: Collector, written: str) -> None:
    plan = asked(collector.url)
    found, _, _ = pod.run(replace(plan, tracing=Tracing(url=f"{collector.url}/v1/traces", parent=written)))
    assert found.essentials.reason is Reason.BUILT
    assert collector.bodies == []
    assert not [name for name in pod.seen("buildkitd")[0]["env"] if name.startswith("OTEL")]
