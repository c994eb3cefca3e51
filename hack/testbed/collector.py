"""A collector of traces for a namespace, in a pod of the builder image that is handed the program of hack/otlp."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from localcluster import gobuild, pins, places
from testbed.kubectl import Document, Kubectl
from testbed.place import ROOT
from testbed.server import awaits, hand_over, server

NAME = "otel-collector"
NAMESPACE = "imagebuild-traces"
PORT = 4318
ENDPOINT = f"http://{NAME}.{NAMESPACE}:{PORT}"
"""Fixed: the operator's configuration names it."""
NOWHERE = "http://127.0.0.1:1"
"""Where no collector is, and everybody hears so at once."""
LINK = "https://grafana.example.com/trace/{traceID}"
_PROGRAM = "/data/otlp"
_SOURCE = ROOT / "hack" / "otlp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """As the program prints it."""

    trace: str
    span: str
    parent: str
    name: str
    service: str
    start: int
    end: int
    """In nanoseconds since 1970."""
    failed: bool
    says: str
    resource: dict[str, Any]
    attributes: dict[str, Any]


def serve(kubectl: Kubectl) -> None:
    """Until its namespace goes. The program is compiled where it is not there yet: about a minute."""
    program = gobuild.ours(pins.load(), places.find().cache, "otlp", _SOURCE, "a collector of traces")
    kubectl.apply(*_manifests(kubectl.place.builder_image))
    hand_over(kubectl, NAME, program, _PROGRAM)


def spans(kubectl: Kubectl, trace: str) -> list[Span]:
    """What it has of a trace. What was sent twice is there twice."""
    found = (json.loads(line) for line in kubectl("logs", NAME).splitlines() if line.startswith('{"trace":'))
    return [Span(**each) for each in found if each["trace"] == trace]


def tree(found: list[Span]) -> Iterator[str]:
    """A line for each span below the one that it is a part of, with its seconds and what sent it."""
    known = {each.span for each in found}
    for root in (each for each in found if each.parent not in known):
        yield from _below(root, found, root.start, 0)


def _below(span: Span, found: list[Span], zero: int, depth: int) -> Iterator[str]:
    began, took = (span.start - zero) / 1e9, (span.end - span.start) / 1e9
    yield f"{began:7.2f} {took:7.2f}  {'  ' * depth}{span.name}  ({span.service})"
    for each in sorted((one for one in found if one.parent == span.span), key=lambda one: one.start):
        yield from _below(each, found, zero, depth + 1)


def _manifests(image: str) -> list[Document]:
    return server(
        NAME,
        image,
        PORT,
        ["sh", "-c", f"{awaits(_PROGRAM)}; exec {_PROGRAM} :{PORT}"],
        volumes={"/data": {"emptyDir": {}}},
        security={"runAsUser": 1000, "fsGroup": 1000},
    )
