"""Silence: a build that neither says nor does anything is ended, and what works without a word is none of these."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagebuild.contract.plan import Output, Plan
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import BuildResult
from imagebuild.runner.build import Build
from imagebuild.runner.cacherefs import CacheRefs
from imagebuild.runner.command import Inputs
from runner.pod import CACHE, DIGEST, DONE, EXPORT, PUSHED, STEP, SUCCESS, Pod, vertex
from runner.test_builds import INLINE


def test_a_build_that_says_and_does_nothing_is_ended_and_its_step_named_with_its_last_words(pod: Pod) -> None:
    said = {"logs": [{"vertex": STEP, "data": "Ym9vbSEK"}]}
    pod.behave(calls=[{"trace": [vertex(CACHE, "[internal] load", **DONE), vertex(), said], "sleep": 60}])
    found, log, code = pod.run(replace(INLINE, silence=0.5))
    assert (found.essentials.reason, code) == (Reason.SILENT, 1), log
    assert "[1/1] RUN make" in found.essentials.message
    assert "load" not in found.essentials.message, "that was done"
    failure = found.details.failure
    assert failure is not None
    assert (failure.step, failure.log_tail) == ("[1/1] RUN make", "boom!")


def watched(pod: Pod, plan: Plan, look: Callable[[Path], None]) -> BuildResult:
    """buildctl alone, with little patience for silence. `look` is called with the trace at each look but for the first
    one, which counts as none: what is said in there is said in time, however long the machine takes."""
    report = pod.work / "report"
    report.mkdir()
    inputs = Inputs(
        address="",
        context=pod.work,
        dockerfile=pod.work,
        filename="",
        trace=report / "trace.json",
        metadata=report / "metadata.json",
    )
    build = Build(
        plan=replace(plan, silence=0.5),
        inputs=inputs,
        images=plan.output.images,
        cache=CacheRefs(),
        env={"PATH": f"{pod.bin}:{os.environ['PATH']}"},
        oom_kills=lambda: 0,
        sent=lambda: 0,
        runc_log=report / "none",
        blobs=report / "none",
    )
    return build.run(lambda: look(inputs.trace))


def until_it_has(lines: int) -> Callable[[Path], None]:
    def look(trace: Path) -> None:
        deadline = time.monotonic() + 60
        while not trace.exists() or len(trace.read_text().splitlines()) < lines:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    return look


def grow(trace: Path) -> None:
    with trace.open("a") as file:
        file.write(json.dumps({"statuses": [{"id": "sha256:1", "vertex": "v", "current": 1}]}) + "\n")


PACKING = {"statuses": [{"id": "exporting layers", "vertex": EXPORT}]}


@pytest.mark.parametrize(
    ("trace", "look", "reason"),
    [
        pytest.param([], grow, Reason.BUILT, id="a trace that grows"),
        pytest.param([PACKING], until_it_has(1), Reason.BUILT, id="layers being packed"),
        pytest.param([vertex()], until_it_has(1), Reason.SILENT, id="a step is silent"),
    ],
)
def test_a_build_that_works_without_a_word_is_not_silent(
    pod: Pod, trace: list[Any], look: Callable[[Path], None], reason: Reason
) -> None:
    pod.behave(calls=[{**SUCCESS, "trace": trace, "sleep": 1 if reason is Reason.BUILT else 60}])
    assert watched(pod, INLINE, look).essentials.reason is reason


@pytest.mark.parametrize(
    ("output", "trace", "digest"),
    [
        pytest.param(INLINE.output, PUSHED, DIGEST, id="pushed"),
        pytest.param(Output(), [vertex(**DONE)], None, id="to be kept nowhere"),
    ],
)
def test_what_is_built_counts_though_the_cache_export_is_silent(
    pod: Pod, output: Output, trace: list[Any], digest: str | None
) -> None:
    lines = [*trace, vertex(CACHE, "exporting cache to registry")]
    pod.behave(calls=[{"trace": lines, "sleep": 60}])
    found = watched(pod, replace(INLINE, output=output, push_grace=1.0), until_it_has(len(lines)))
    assert (found.essentials.reason, found.essentials.digest) == (Reason.BUILT, digest)
