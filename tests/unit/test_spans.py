"""Spans: ids that are computed, a traceparent that somebody wrote, and what is sent."""

from __future__ import annotations

import json

import pytest

from collector import read
from imagebuild.contract.spans import Parent, Span, document, parent, span_id, trace_id

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param(f"00-{TRACE}-{SPAN}-01", Parent(TRACE, SPAN), id="as W3C has it"),
        pytest.param(f"00-{TRACE}-{SPAN}-00", Parent(TRACE, SPAN, sampled=False), id="not sampled"),
        pytest.param(f"00-{TRACE}-{SPAN}-03", Parent(TRACE, SPAN), id="a flag more"),
        pytest.param(f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", Parent(TRACE, SPAN), id="a later version"),
        pytest.param(f"00-{TRACE}-{SPAN}-01-more", None, id="this version says no more"),
        pytest.param(f"ff-{TRACE}-{SPAN}-01", None, id="no version"),
        pytest.param(f"00-{'0' * 32}-{SPAN}-01", None, id="no trace"),
        pytest.param(f"00-{TRACE}-{'0' * 16}-01", None, id="no span"),
        pytest.param(f"00-{TRACE.upper()}-{SPAN}-01", None, id="capital letters"),
        pytest.param(f"00-{TRACE}-{SPAN}-01\n", None, id="a line end"),
        pytest.param(f"00-{TRACE}-{SPAN}", None, id="no flags"),
        pytest.param(f"\u0660\u0660-{TRACE}-{SPAN}-01", None, id="digits of another script"),
        pytest.param("$(cat /etc/passwd)", None, id="a command"),
        pytest.param("0" * 100_000, None, id="long"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_a_traceparent_is_read_as_w3c_says(written: str, read: Parent | None) -> None:
    assert parent(written) == read


def test_what_we_tell_others_is_a_traceparent() -> None:
    given = Parent(trace_id("uid", 1), span_id("uid", 1, 1))
    assert parent(str(given)) == given


def test_ids_are_the_same_each_time_and_differ_for_what_differs() -> None:
    named = [("uid",), ("uid", 1), ("uid", 2), ("uid", 1, 1), ("uid", 1, "queue"), ("uid", 11)]
    assert len({span_id(*each) for each in named}) == len(named)
    assert span_id("uid", 1) == span_id("uid", 1)
    assert trace_id("uid", 1) != trace_id("uid", 2)
    assert trace_id("uid", 1) != trace_id("other", 1)


def span(**given: object) -> Span:
    whole = {"name": "solve", "id": SPAN, "parent": None, "trace": TRACE, "start": 1.25, "end": 2.0, **given}
    return Span(**whole)  # type: ignore[arg-type]


def test_a_span_is_sent_as_otlp_has_it() -> None:
    body = json.loads(document("imagebuild-runner", {"k8s.pod.name": "p"}, [span(parent=Parent(TRACE, "1" * 16))]))
    (resource,) = body["resourceSpans"]
    assert {"key": "k8s.pod.name", "value": {"stringValue": "p"}} in resource["resource"]["attributes"]
    assert resource["scopeSpans"][0]["spans"] == [
        {
            "traceId": TRACE,
            "spanId": SPAN,
            "parentSpanId": "1" * 16,
            "flags": 1,
            "name": "solve",
            "kind": 1,
            "startTimeUnixNano": "1250000000",
            "endTimeUnixNano": "2000000000",
            "attributes": [],
            "status": {},
        }
    ]


def test_texts_are_cut_and_no_span_ends_before_it_began() -> None:
    long = span(error="x" * 1000, attributes={"a": "y" * 1000, "n": 7}, start=5.0, end=4.0)
    (found,) = read(json.loads(document("s", {}, [long])))
    assert (len(found.error), len(found.about["a"]), found.about["n"]) == (256, 256, "7")
    assert found.start == found.end == 5.0
