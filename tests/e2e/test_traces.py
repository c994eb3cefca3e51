"""Traces of builds, as the receiver of the OpenTelemetry Collector gets them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from e2e.command import Command
from e2e.conftest import BASELINE
from e2e.story import Story
from imagebuild.contract.spans import span_id
from testbed import collector
from testbed.collector import Span
from testbed.kubectl import Kubectl, until

pytestmark = [pytest.mark.cluster, pytest.mark.thorough, pytest.mark.xdist_group("operator")]

TRACED = pytest.mark.parametrize("suffix", ["-traced"])
DOCKERFILE = """\
FROM busybox:1.37
ARG WORD
RUN echo said once $WORD > /said
"""
ARGUMENT = "argument-of-the-build"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ANNOTATION = "imagebuild.dev/traceparent"


@pytest.fixture(scope="module")
def traces(kubectl: Kubectl) -> Iterator[Kubectl]:
    """The namespace of the collector, which the operator's configuration names."""
    labels = {"name": collector.NAMESPACE, "labels": BASELINE}
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": labels})
    here = kubectl.within(collector.NAMESPACE)
    collector.serve(here)
    yield here
    kubectl("delete", "namespace", collector.NAMESPACE, timeout=120)


def whole(traces: Kubectl, trace: str, *wanted: str) -> list[Span]:
    """The trace, as soon as these are in it: what the operator and BuildKit send last may come in any order."""
    found: list[Span] = []

    def look() -> bool:
        found[:] = collector.spans(traces, trace)
        return {each.name for each in found} >= set(wanted)

    try:
        until(f"{wanted} in the trace {trace}", look, seconds=60)
    except TimeoutError as error:
        raise AssertionError(f"{error}\n" + "\n".join(collector.tree(found))) from None
    return found


def way_up(found: list[Span], span: Span) -> list[str]:
    """Names from the span to the root."""
    known = {each.span: each for each in found}
    names = [span.name]
    while (above := known.get(span.parent)) is not None:
        span = above
        names.append(span.name)
    return names


@TRACED
def test_a_build_is_one_trace_from_the_imagebuild_to_buildkit_s_steps(
    story: Story, traces: Kubectl, suffix: str
) -> None:
    story.apply(story.inline(DOCKERFILE, args={"WORD": ARGUMENT}))
    status = story.succeeds()
    step = f"[2/2] RUN echo said once {ARGUMENT} > /said"
    trace = status["trace"]["id"]
    assert status["trace"] == {"id": trace, "link": f"https://grafana.example.com/trace/{trace}"}
    found = whole(traces, trace, "BUILD", step, "push", "build")
    drawn = "\n".join(collector.tree(found))
    print(drawn)  # docs/howto/traces.md says how to see it
    known = {each.span for each in found}
    assert [each.name for each in found if each.parent not in known] == ["BUILD"], f"one root:\n{drawn}"
    (run,) = (each for each in found if each.name == step)
    way = way_up(found, run)
    assert way[-3:] == ["solve", "attempt", "BUILD"], drawn
    assert {each.service for each in found} == {"imagebuild-operator", "imagebuild-runner", "buildctl", "buildkitd"}
    assert {"queue", "start pod", "fetch", "start buildkitd", "export image"} <= {each.name for each in found}, drawn
    (root,) = (each for each in found if each.name == "BUILD")
    uid = story.kubectl.get("imagebuild", "app")["metadata"]["uid"]
    assert root.span == span_id(uid, 1)
    assert root.attributes["oci.manifest.digest"] == status["output"]["digest"]
    for each in found:
        if each.service != "imagebuild-operator":
            assert each.resource["k8s.pod.name"] == status["podName"]
            assert each.attributes == {}, "there would be command lines and signed addresses"
    assert f"https://grafana.example.com/trace/{trace}" in Command(story)("describe", "app").stdout


@TRACED
def test_a_build_that_fails_says_in_its_trace_where(story: Story, traces: Kubectl, suffix: str) -> None:
    story.apply(story.inline("FROM busybox:1.37\nRUN exit 7\n"))
    status = story.fails("StepFailed")
    found = whole(traces, status["trace"]["id"], "BUILD", "[2/2] RUN exit 7")
    failed = {each.name: each.says for each in found if each.failed}
    assert "exit code: 7" in failed["[2/2] RUN exit 7"]
    assert failed["BUILD"].startswith("StepFailed: ")
    (root,) = (each for each in found if each.name == "BUILD")
    assert root.attributes["cicd.pipeline.result"] == "failure"


@TRACED
def test_a_build_that_ci_asks_for_is_a_part_of_ci_s_trace(story: Story, traces: Kubectl, suffix: str) -> None:
    story.apply(story.inline(), annotations={ANNOTATION: f"00-{TRACE}-{PARENT}-01"})
    status = story.succeeds()
    assert (status["trace"]["id"], status["trace"]["parent"]) == (TRACE, PARENT)
    found = whole(traces, TRACE, "BUILD", "solve", "build")
    (root,) = (each for each in found if each.name == "BUILD")
    assert root.parent == PARENT


@TRACED
def test_an_annotation_that_is_none_is_said_and_nothing_of_it_is_taken(
    story: Story, traces: Kubectl, suffix: str
) -> None:
    hostile = f"00-{TRACE}-{PARENT}-01\r\nX-Forged: 1; $(reboot)"
    story.apply(story.inline(output={"discard": True}), annotations={ANNOTATION: hostile})
    status = story.succeeds()
    (warning,) = status["warnings"]
    assert warning.endswith("is not 00-TRACE-SPAN-01; the trace stands for itself")
    assert status["trace"]["id"] != TRACE
    assert not any("Forged" in json.dumps(pod) for pod in story.pods())


@pytest.mark.parametrize("suffix", ["-unheard"])
def test_without_a_collector_a_build_is_as_ever(story: Story, suffix: str) -> None:
    story.apply(story.inline())
    status = story.succeeds()
    assert status["warnings"] == []
    assert status["message"].startswith("Built and pushed")
    log = story.kubectl("logs", status["podName"])
    assert log.count("imagebuild: no traces: ") == 1, log
