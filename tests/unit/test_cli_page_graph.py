"""What a build's page makes of its steps: what works on what, what was waited for, and why a step was run anew."""

from __future__ import annotations

from typing import Any

import pytest

from generator import page as example
from imagebuild.cli.page.cause import why_not_cached
from imagebuild.cli.page.document import page
from imagebuild.cli.page.excerpts import Excerpt
from imagebuild.cli.page.graph import Node, nodes, to_blame
from imagebuild.cli.page.periods import periods
from imagebuild.cli.view import View
from imagebuild.contract.timeline import State, Step, Timeline


def graph(*steps: Step) -> list[Node]:
    return nodes(Timeline(since=example.BEGAN, steps=steps), [Excerpt()] * len(steps))


def critical(*steps: Step) -> list[str]:
    return [node.span.name for node in graph(*steps) if node.critical]


def step(name: str, start: float, seconds: float, *needs: int, state: State = State.DONE) -> Step:
    return Step(name=name, start=start, seconds=seconds, needs=needs, state=state)


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        pytest.param(
            [step("[a 1/1] RUN a", 0, 5), step("[b 1/1] RUN b", 0, 3), step("[1/1] COPY", 5, 1, 0, 1)],
            ["[a 1/1] RUN a", "[1/1] COPY"],
            id="the later of two that a step works on",
        ),
        pytest.param(
            [step("[1/2] RUN a", 0, 5), step("[2/2] RUN b", 5, 1, 0), step("exporting to image", 6, 2)],
            ["[1/2] RUN a", "[2/2] RUN b", "exporting to image"],
            id="an export names nothing, and begins when the last step is done",
        ),
        pytest.param(
            [step("[1/2] RUN a", 0, 5), step("[2/2] RUN b", 5, 0, 0, state=State.CACHED), step("[2/2] RUN c", 5, 1, 1)],
            ["[1/2] RUN a", "[2/2] RUN c"],
            id="what took no time is on no path",
        ),
        pytest.param(
            [
                step("[a 1/1] RUN a", 0, 3, 2, state=State.FAILED),
                step("[b 1/1] RUN b", 0, 9, 2, state=State.CANCELED),
                step("[x 1/1] RUN x", 0, 0.5),
            ],
            ["[a 1/1] RUN a", "[x 1/1] RUN x"],
            id="a failed build waited for the step that failed",
        ),
        pytest.param([step("[1/2] RUN a", 0, 5), step("[2/2] RUN b", 5, 1)], [], id="not known what works on what"),
        pytest.param([], [], id="no steps"),
        pytest.param(
            [step("[1/2] RUN a", 0, 5, 1), step("[2/2] RUN b", 5, 1, 0)],
            ["[1/2] RUN a", "[2/2] RUN b"],
            id="a pod says that steps work on each other",
        ),
        pytest.param(
            [step("[1/2] RUN a", 0, 5, 0, 7, -1), step("[2/2] RUN b", 5, 1, 0, 0)],
            ["[1/2] RUN a", "[2/2] RUN b"],
            id="a pod names steps that are not there",
        ),
    ],
)
def test_the_critical_path_is_what_was_waited_for(steps: list[Step], path: list[str]) -> None:
    assert critical(*steps) == path


def test_steps_know_what_they_work_on_and_what_works_on_them() -> None:
    a, b, c = graph(step("[1/3] a", 0, 1, 9, 0), step("[2/3] b", 1, 1, 0, 0), step("[3/3] c", 2, 1, 0, 1))
    assert (a.needs, a.needed_by) == ((), (1, 2))
    assert (b.needs, b.needed_by) == ((0,), (2,))
    assert (c.needs, c.needed_by) == ((0, 1), ())


@pytest.mark.parametrize(
    ("names", "blamed"),
    [
        (["importing cache manifest from r.io/x", "[1/1] RUN false"], "[1/1] RUN false"),
        (["[1/1] RUN make cache"], "[1/1] RUN make cache"),
        (["exporting cache to registry"], None),
        (["exporting to image"], "exporting to image"),
    ],
)
def test_a_cache_that_fails_is_not_what_failed_the_build(names: list[str], blamed: str | None) -> None:
    found = to_blame(graph(*(step(name, 0, 1, state=State.FAILED) for name in names)))
    assert (found.span.name if found else None) == blamed


FOUND = {"imports": [{"ref": "r.io/a:1", "result": "Found"}, {"ref": "r.io/a:2", "result": "NotFound"}]}
ABSENT = {"imports": [{"ref": "r.io/a:1", "result": "NotFound"}, {"ref": "r.io/a:2", "result": "Unauthorized"}]}
NEW = "No cache has it: the line, or what it works on, is new."
COPIES = "No cache has it: the line, what it copies from the source, or what it works on is new."
NO_CACHE = "There was no cache to read (r.io/a:1: NotFound, r.io/a:2: Unauthorized)."
BASE = step("[b 1/4] FROM busybox", 0, 0)
CONTEXT = step("[internal] load build context", 0, 1)
CACHED = step("[b 2/4] RUN a", 0, 0, 0, state=State.CACHED)


@pytest.mark.parametrize(
    ("spec", "status", "steps", "why"),
    [
        pytest.param({}, FOUND, [BASE, step("[b 2/4] RUN a", 0, 1, 0)], NEW, id="the first of its stage"),
        pytest.param({}, FOUND, [CONTEXT, step("[b 2/4] COPY . .", 0, 1, 0)], COPIES, id="from the source"),
        pytest.param({}, FOUND, [BASE, CACHED, step("[b 3/4] RUN b", 0, 1, 1)], NEW, id="after a hit"),
        pytest.param(
            {},
            ABSENT,
            [BASE, step("[b 2/4] RUN a", 0, 1, 0), step("[b 3/4] RUN b", 1, 1, 1)],
            "It works on the result of [b 2/4] RUN a, which was not in the cache.",
            id="after a miss",
        ),
        pytest.param(
            {},
            FOUND,
            [step("[a 1/1] RUN a", 0, 1), step("[b 1/1] RUN b", 0, 1), step("[2/3] COPY", 1, 1, 0, 1)],
            "It works on the result of [a 1/1] RUN a and of 1 more, which was not in the cache.",
            id="after two misses",
        ),
        pytest.param({}, ABSENT, [BASE, step("[b 2/4] RUN a", 0, 1, 0)], NO_CACHE, id="no cache"),
        pytest.param({}, ABSENT, [step("[b 2/4] RUN a", 0, 1)], NO_CACHE, id="no cache, of a build that was killed"),
        pytest.param({}, FOUND, [step("[b 2/4] RUN a", 0, 1)], "", id="not known"),
        pytest.param({}, FOUND, [BASE], "", id="FROM"),
        pytest.param({}, FOUND, [BASE, CACHED], "", id="a hit"),
        pytest.param({"noCache": True}, FOUND, [BASE, CACHED], "", id="a hit all the same"),
        pytest.param(
            {"noCache": True},
            FOUND,
            [BASE, step("[b 2/4] RUN a", 0, 1, 0)],
            "cache.noCache has every step run anew.",
            id="noCache",
        ),
        pytest.param(
            {"noCacheStages": ["a", "b"]},
            FOUND,
            [BASE, step("[linux/amd64 b 2/4] RUN a", 0, 1, 0)],
            "cache.noCacheStages has the stage b run anew.",
            id="noCacheStages",
        ),
        pytest.param({"noCacheStages": ["a"]}, FOUND, [BASE, step("[b 2/4] RUN a", 0, 1, 0)], NEW, id="another stage"),
        pytest.param({"import": [{}]}, ABSENT, [BASE, step("[b 2/4] RUN a", 0, 1, 0)], NEW, id="other caches"),
    ],
)
def test_why_a_step_was_not_in_the_cache_is_told_where_it_is_known(
    spec: dict[str, Any], status: dict[str, Any], steps: list[Step], why: str
) -> None:
    build = View({**example.document(cache=status), "spec": {"cache": spec}})
    found = graph(*steps)
    assert why_not_cached(build, found[-1], found) == why


def test_a_cache_on_a_volume_is_one_more_cache() -> None:
    build = View(example.document(cache=ABSENT, effective={"cacheVolume": "claim"}))
    found = graph(BASE, step("[b 2/4] RUN a", 0, 1, 0))
    assert why_not_cached(build, found[-1], found) == NEW


def test_the_steps_are_four_periods_more() -> None:
    facts = example.facts(example.document())
    told = [(span.name, round(span.seconds, 1)) for span in periods(facts.spans)]
    assert told[-4:] == [("build", 23.7), ("image export", 1.9), ("push", 3.1), ("cache export", 4.4)]
    broken = example.facts(example.document(**example.FAILURE), example.failed())
    assert [(span.name, span.state) for span in periods(broken.spans)][-1] == ("build", State.FAILED)


def test_what_a_pod_says_of_times_is_drawn_all_the_same() -> None:
    wild = (step("[1/1] RUN x", -1e300, 1e300), step("[1/1] RUN y", 1e9, 0))
    assert "RUN y" in page(example.facts(example.document(), wild))
