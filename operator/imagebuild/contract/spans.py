"""Spans of a build's trace, as the operator and the runner make them: which is whose parent is a function of names.

    run, the root ───▶ attempt ───▶ what the runner does ───▶ what BuildKit does, by TRACEPARENT

Ids are computed, so an operator that was restarted goes on with the same trace, and what is sent twice is there once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from imagebuild import __version__

__all__ = ["Parent", "Span", "Tracing", "document", "parent", "span_id", "trace_id"]

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_VERSION, _NO_VERSION, _SAMPLED = "00", "ff", 1
_TEXT = 256
"""Characters. A collector refuses all spans of a request that is too large, and details are in the status."""
_ERROR, _INTERNAL, _SERVER = 2, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """What the plan says of traces."""

    url: str
    """Where a collector takes OTLP over HTTP."""
    parent: str
    """The span of the attempt, as a traceparent."""
    resource: tuple[str, ...] = ()
    """What all of the pod's spans are about: key=value each."""


@dataclass(frozen=True, slots=True)
class Parent:
    """A span that another program has begun, or that we tell other programs to go on from."""

    trace: str
    span: str
    sampled: bool = True

    def __str__(self) -> str:
        """As W3C's Trace Context writes it."""
        return f"{_VERSION}-{self.trace}-{self.span}-{self.sampled:02x}"


def parent(text: str) -> Parent | None:
    """Of a traceparent that somebody wrote by hand; anything else is none. Later versions may say more at the end."""
    found = _TRACEPARENT.fullmatch(text)
    if found is None or found[1] == _NO_VERSION or (found[5] and found[1] == _VERSION):
        return None
    if not (int(found[2], 16) and int(found[3], 16)):
        return None
    return Parent(found[2], found[3], sampled=bool(int(found[4], 16) & _SAMPLED))


def trace_id(uid: str, run: int) -> str:
    return _hash(f"trace/{uid}/{run}")[:32]


def span_id(*which: object) -> str:
    """Of what the words name: an ImageBuild's uid, the run, the attempt, what is done."""
    return _hash("/".join(map(str, ("span", *which))))[:16]


def _hash(text: str) -> str:
    import hashlib  # noqa: PLC0415 the operator computes ids, and the runner has no time to load it

    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    name: str
    id: str
    parent: Parent | None
    """None: it is the root."""
    trace: str
    start: float
    end: float
    """Both in seconds since 1970."""
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    error: str = ""
    """Why it failed; empty where it did not."""
    answers: bool = False
    """It is what somebody else has asked for, not a part of something greater here."""


def document(service: str, resource: Mapping[str, str], spans: Iterable[Span]) -> bytes:
    """The body of a request by OTLP over HTTP, as JSON."""
    about = {"service.name": service, "service.version": __version__, **resource}
    scope = {"scope": {"name": "imagebuild"}, "spans": [_span(each) for each in spans]}
    found = {"resourceSpans": [{"resource": {"attributes": _attributes(about)}, "scopeSpans": [scope]}]}
    return json.dumps(found, separators=(",", ":")).encode()


def _span(span: Span) -> dict[str, object]:
    return {
        "traceId": span.trace,
        "spanId": span.id,
        **({"parentSpanId": span.parent.span} if span.parent else {}),
        "flags": _SAMPLED,
        "name": span.name[:_TEXT],
        "kind": _SERVER if span.answers else _INTERNAL,
        "startTimeUnixNano": _nanoseconds(span.start),
        "endTimeUnixNano": _nanoseconds(max(span.start, span.end)),
        "attributes": _attributes(span.attributes),
        "status": {"code": _ERROR, "message": span.error[:_TEXT]} if span.error else {},
    }


def _nanoseconds(moment: float) -> str:
    return str(round(moment * 1e9))


def _attributes(given: Mapping[str, str | int]) -> list[dict[str, object]]:
    return [{"key": key, "value": _value(value)} for key, value in given.items()]


def _value(value: str | int) -> dict[str, object]:
    # 64 bit numbers are texts in OTLP's JSON
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value[:_TEXT]}
