"""The runner's part of a build's trace, and how BuildKit's own comes below it. Best effort, and never waited for long.

buildkitd sends its spans itself, and those of buildctl, which hands them to it. Both leave out attributes: there would
be the whole command line, with the arguments of the build, and addresses in object stores that are signed.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from imagebuild.contract.spans import Parent, Span, Tracing, document, parent
from imagebuild.runner.problem import Problem
from imagebuild.runner.process import say

if TYPE_CHECKING:
    from imagebuild.contract.timeline import Timeline

__all__ = ["Trace", "traced"]

_SERVICE = "imagebuild-runner"
_SECONDS = 5.0
_LAST_SECONDS = 1.0
"""For what is left at the end, by a collector that has taken something before."""
_FIRST_SECONDS = 0.3
"""For the first answer; a collector that takes longer is not waited for at the end."""
_BARE = {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "0", "OTEL_SPAN_EVENT_COUNT_LIMIT": "0"}
_EXPORT_MILLISECONDS = "2000"
_EXPORTS = {"exporting to ": "export image", "pushing the image": "push", "exporting cache": "export cache"}
"""How BuildKit's work begins that is no step of the Dockerfile, and what it is called here."""


@contextlib.contextmanager
def traced(wanted: Tracing | None, bundle: Path | None) -> Iterator[Trace]:
    """`bundle`: the certificate authorities to trust; None: those of the image."""
    under = parent(wanted.parent) if wanted else None
    if wanted is None or under is None:
        yield Trace()
        return
    named = dict(each.split("=", 1) for each in wanted.resource)
    sender = _Sender(wanted.url, {**named, "k8s.pod.name": os.uname().nodename}, bundle)
    try:
        yield Trace(under, sender)
    finally:
        sender.end()


class Trace:
    """Without a collector it does nothing."""

    def __init__(self, under: Parent | None = None, sender: _Sender | None = None) -> None:
        self._under, self._sender = under, sender

    @property
    def reached(self) -> bool:
        """The collector has taken something."""
        return self._sender is not None and self._sender.reached

    @contextlib.contextmanager
    def span(self, name: str) -> Iterator[Parent | None]:
        """Around what the name says. Gives what other spans may be below."""
        began, here, error = time.time(), self._new(), ""
        try:
            yield here
        except Problem as problem:
            error = f"{problem.reason}: {problem.message}"
            raise
        finally:
            self._add(name, self._under, began, time.time(), here=here, error=error)

    def record(self, name: str, start: float, end: float) -> None:
        """What is over, in seconds since 1970."""
        self._add(name, self._under, start, end)

    def exports(self, timeline: Timeline, under: Parent | None) -> None:
        """What BuildKit did with what it had built."""
        from imagebuild.contract.timeline import State  # noqa: PLC0415 the daemon need not wait for it

        for step in timeline.steps:
            if name := next((_EXPORTS[word] for word in _EXPORTS if step.name.startswith(word)), None):
                start, error = timeline.since + step.start, "it failed" if step.state is State.FAILED else ""
                self._add(name, under, start, start + step.seconds, error=error)

    def client(self, under: Parent | None) -> dict[str, str]:
        """The environment of buildctl."""
        return {**self._sender.environment(), "TRACEPARENT": str(under)} if self._sender else {}

    def daemon(self, env: Mapping[str, str]) -> dict[str, str]:
        """The environment of buildkitd beside what it has, `env`."""
        return {**self._sender.environment(), **self._sender.exporter(env)} if self._sender else {}

    def _new(self) -> Parent | None:
        return Parent(self._under.trace, os.urandom(8).hex()) if self._under else None

    def _add(
        self, name: str, under: Parent | None, start: float, end: float, *, here: Parent | None = None, error: str = ""
    ) -> None:
        here = here or self._new()
        if self._sender is not None and here is not None:
            self._sender.put(
                Span(name=name, id=here.span, parent=under, trace=here.trace, start=start, end=end, error=error)
            )


class _Sender:
    """A thread of its own: nothing waits for a collector."""

    def __init__(self, url: str, resource: Mapping[str, str], bundle: Path | None) -> None:
        import queue  # noqa: PLC0415 most plans have no traces

        self._url, self._resource, self._bundle = url, resource, bundle
        self._spans: queue.SimpleQueue[Span | None] = queue.SimpleQueue()
        self.reached = False
        self._asked_at: float | None = None
        """For the first time."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def put(self, span: Span) -> None:
        self._spans.put(span)

    def end(self) -> None:
        """Waits a moment, but for no collector that has had time to answer and has not."""
        self._spans.put(None)
        first = _FIRST_SECONDS + (self._asked_at or time.monotonic()) - time.monotonic()
        self._thread.join(_LAST_SECONDS if self.reached else max(0.0, first))

    def environment(self) -> dict[str, str]:
        from urllib.parse import quote  # noqa: PLC0415 most plans have no traces

        about = ",".join(f"{key}={quote(value)}" for key, value in self._resource.items())
        return {**_BARE, "OTEL_RESOURCE_ATTRIBUTES": about}

    def exporter(self, env: Mapping[str, str]) -> dict[str, str]:
        """Of traces alone: BuildKit would send metrics, too. Directly, as the runner does."""
        from urllib.parse import urlsplit  # noqa: PLC0415 most plans have no traces

        host = urlsplit(self._url).hostname
        return {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": self._url,
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": _EXPORT_MILLISECONDS,
            **{name: f"{env[name]},{host}" for name in ("NO_PROXY", "no_proxy") if name in env},
        }

    def _run(self) -> None:
        """What could not be sent goes with what comes next."""
        waiting: list[Span] = []
        said, last = "", False
        while not last:
            taken = [self._spans.get()]
            while not self._spans.empty():
                taken.append(self._spans.get())
            last = None in taken
            waiting += [span for span in taken if span is not None]
            problem = self._send(waiting) if waiting else ""
            if not problem:
                waiting.clear()
            elif problem != said:
                said = problem
                say(f"no traces: {problem}")

    def _send(self, spans: list[Span]) -> str:
        """Why they were not sent; empty where they were."""
        self._asked_at = self._asked_at or time.monotonic()
        try:
            from imagebuild.contract import otlp  # noqa: PLC0415 slow to import

            tls = otlp.trusting(file=str(self._bundle) if self._bundle else None) if self._tls else None
            otlp.send(self._url, document(_SERVICE, self._resource, spans), _SECONDS, tls)
        except Exception as error:  # noqa: BLE001 no fault of a collector is worth a build
            return str(error)
        self.reached = True
        return ""

    @property
    def _tls(self) -> bool:
        return self._url.startswith("https:")
