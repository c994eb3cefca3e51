"""buildctl: run, watched, and what came of it as a result."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from imagebuild.contract import layout, timeline
from imagebuild.contract.codec import encode
from imagebuild.contract.plan import Plan
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import BuildResult, Details, Essentials, Failure
from imagebuild.runner import log, process, pushed
from imagebuild.runner.blame import blame
from imagebuild.runner.cacherefs import CacheRefs
from imagebuild.runner.command import Inputs, buildctl
from imagebuild.runner.diagnose import Diagnosis, diagnose, failure, last_error, line_number
from imagebuild.runner.problem import Problem
from imagebuild.runner.silence import Silence, sent
from imagebuild.runner.trace import Trace, Vertex

__all__ = ["TIMELINE", "Build"]

TIMELINE = "timeline.json"
"""Beside the other reports, once BuildKit has ended: when each step was done."""

_LOOK_EVERY_SECONDS = 0.05
_ENDING_SECONDS = 0.001
"""Between two looks for the end of a buildctl that has said its last word."""
_LAST_LINES = 60
_OURS = layout.OURS.encode()
_PERHAPS_THE_DAEMON = {Reason.UNKNOWN, Reason.DAEMON_DIED, Reason.REGISTRY_UNAVAILABLE}
"""What a buildctl says that has lost its daemon, depending on what it was doing."""
_DAEMON_SEEN_DEAD_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """How a run of buildctl ended."""

    problem: Problem | None = None
    """Why it was stopped."""
    failure: Failure | None = None
    """What was under way then, where that is to blame."""
    hung: bool = False
    """Only the cache export was left, and it was given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One run of buildctl."""

    plan: Plan
    inputs: Inputs
    images: tuple[str, ...]
    cache: CacheRefs
    env: Mapping[str, str]
    oom_kills: Callable[[], int]
    runc_log: Path
    blobs: Path
    """Of the daemon's content store."""
    made_from: str = ""
    sent: Callable[[], int] = sent
    timed: Callable[[timeline.Timeline], None] | None = None
    """Is told when BuildKit worked at what."""

    def run(self, check: Callable[[], None]) -> BuildResult:
        """`check` raises Problem when the build must not go on; images that are pushed by then count all the same."""
        for file in (self.inputs.trace, self.inputs.metadata):
            file.unlink(missing_ok=True)
        trace, killed = Trace(self.inputs.trace), self.oom_kills()
        running = process.start(buildctl(self.plan, self.inputs, self.images, self.cache, self.made_from), self.env)
        output = _Output(running)
        end = self._watch(running, trace, output, check)
        lines = output.finished()
        self._sum_up(trace)
        details = self._details(trace, hung=end.hung)
        digest = pushed.digest(self.inputs.metadata) or trace.pushed
        if running.returncode == 0 or end.hung or digest is not None:
            platform = pushed.platform(self.inputs.metadata, self.blobs)
            if self.plan.platform and trace.foreign_base:
                # BuildKit marks an image as what was asked for, whatever is in it, and only warns
                return BuildResult(essentials=_mismatch(trace, self.images, digest), details=details)
            return BuildResult(
                essentials=Essentials(reason=Reason.BUILT, digest=digest),
                details=replace(details, images=self.images, platform=platform),
            )
        out_of_memory = self.oom_kills() > killed
        found = self._diagnosis(trace.failed, lines, out_of_memory=out_of_memory)
        stopped = end.problem
        if stopped is None and found.reason in _PERHAPS_THE_DAEMON:
            stopped = _stopped(check)
        if stopped is not None:
            return _ended(stopped, replace(details, failure=end.failure), out_of_memory=out_of_memory)
        return BuildResult(
            essentials=Essentials(reason=found.reason, message=found.message),
            details=replace(details, failure=found.failure),
        )

    def _diagnosis(self, failed: Vertex | None, lines: list[str], *, out_of_memory: bool) -> Diagnosis:
        """Why nothing was built. `lines`: the last ones that buildctl printed."""
        error = last_error(lines)
        found = diagnose(
            failed,
            error,
            line_number(lines),
            imported=self.cache.read,
            out_of_memory=out_of_memory,
            runc=_runc_errors(self.runc_log),
        )
        return blame(found, failed, error, self.plan, self.inputs.dockerfile / self.inputs.filename)

    def _watch(
        self, running: subprocess.Popen[bytes], trace: Trace, output: _Output, check: Callable[[], None]
    ) -> _End:
        """Until buildctl has ended, by itself or by us."""
        alone_since: float | None = None
        silence = Silence(self.plan.silence)
        while running.poll() is None:
            trace.read()
            if trace.only_the_cache_is_left(push=bool(self.images)):
                alone_since = alone_since or time.monotonic()
                if time.monotonic() > alone_since + self.plan.push_grace:
                    process.say("all but the cache export is done; it takes too long and is given up")
                    process.end(running)
                    return _End(hung=True)
            elif silence.too_long(trace.size, output.lines, self._unsaid(trace)):
                end = self._silent(trace)
                process.end(running)
                return end
            try:
                check()
            except Problem as problem:
                process.end(running)
                return _End(problem=problem)
            output.wait(_LOOK_EVERY_SECONDS)
        return _End()

    def _unsaid(self, trace: Trace) -> int:
        """A number that changes with what BuildKit does without saying so."""
        if trace.computes:
            return time.monotonic_ns()
        return self.sent() if trace.exports else 0

    def _silent(self, trace: Trace) -> _End:
        """Said before buildctl is ended, which ends all that is under way."""
        names = ", ".join(vertex.name for vertex in trace.under_way[:3]) or "no step was under way"
        said = f"nothing was said or done for {self.plan.silence:.0f} s: {names}"
        step = next(iter(trace.under_way), None)
        return _End(problem=Problem(Reason.SILENT, said), failure=failure(step) if step else None)

    def _sum_up(self, trace: Trace) -> None:
        """What `imagebuild timeline` reads, and all of it for the record."""
        trace.read()
        found = trace.times.timeline(time.time())
        process.say(timeline.WORD + timeline.dump(found))
        with contextlib.suppress(OSError):
            self.inputs.trace.with_name(TIMELINE).write_text(json.dumps(encode(found)))
        if self.timed is not None:
            self.timed(found)

    def _details(self, trace: Trace, *, hung: bool) -> Details:
        error = trace.cache_export_error
        if hung:
            error = f"not finished {self.plan.push_grace:.0f} s after all else was done"
        elif not error and trace.only_the_cache_is_left(push=bool(self.images)):
            error = "not finished when the build was stopped"
        return Details(
            steps_total=len(trace.steps),
            steps_cached=sum(vertex.cached for vertex in trace.steps),
            imports=self.cache.looked_for,
            export_ref=self.cache.export,
            export_error=error,
        )


def _stopped(check: Callable[[], None]) -> Problem | None:
    """buildctl notices the end of its daemon sooner than rootlesskit does, which we watch."""
    deadline = time.monotonic() + _DAEMON_SEEN_DEAD_SECONDS
    while time.monotonic() < deadline:
        try:
            check()
        except Problem as problem:
            return problem
        time.sleep(_LOOK_EVERY_SECONDS)
    return None


def _ended(problem: Problem, details: Details, *, out_of_memory: bool) -> BuildResult:
    reason, message = problem.reason, problem.message
    if reason is Reason.DAEMON_DIED and out_of_memory:
        reason, message = Reason.OUT_OF_MEMORY, "the kernel killed buildkitd for using more memory than the limit"
    return BuildResult(essentials=Essentials(reason=reason, message=message), details=details)


class _Output:
    """buildctl's output, passed on to the pod's log line by line; the last lines are kept."""

    def __init__(self, running: subprocess.Popen[bytes]) -> None:
        self._running = running
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self.lines = 0
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """At most so long, and no longer than there is somebody who may write."""
        self._thread.join(seconds)
        if not self._thread.is_alive():
            time.sleep(_ENDING_SECONDS)

    def finished(self) -> list[str]:
        # a process that a step left behind may hold the pipe open for ever
        self._thread.join(timeout=2)
        return list(self._last)

    def _pass_on(self) -> None:
        assert self._running.stdout is not None
        with self._running.stdout as said:
            for line in said:
                # no step's output is taken for a line of ours
                text = line.rstrip(b"\n")
                log.write(b" " + text if text.startswith(_OURS) else text)
                self._last.append(text.decode(errors="replace"))
                self.lines += 1


def _runc_errors(log: Path) -> tuple[str, ...]:
    """What runc has logged as its own errors: a RUN step sees neither this file nor a way to write there."""
    found: list[str] = []
    with contextlib.suppress(OSError):
        for line in log.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError, AttributeError):
                message = json.loads(line).get("msg")
                found += [message] if isinstance(message, str) else []
    return tuple(found)


def _mismatch(trace: Trace, images: tuple[str, ...], digest: str | None) -> Essentials:
    pushed = f"; it was pushed as {', '.join(images)}, {digest}" if digest else ""
    return Essentials(reason=Reason.PLATFORM_MISMATCH, message=trace.foreign_base + pushed)
