"""When steps were done: what the runner makes of BuildKit's trace, and the line of the log that holds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuild.contract.timeline import LIMIT, PREFIX, State, Step, Timeline, dump, parse
from imagebuild.runner.times import Times
from imagebuild.runner.trace import Trace

RECORDED = Path(__file__).parent / "recorded"
LATER = 1_795_000_000.0


def timeline(name: str) -> Timeline:
    trace = Trace(RECORDED / f"{name}.trace.jsonl")
    trace.read()
    return trace.times.timeline(LATER)


def step(found: Timeline, name: str) -> Step:
    (only,) = (step for step in found.steps if step.name == name)
    return only


def test_each_step_has_its_beginning_and_its_duration() -> None:
    found = timeline("ok")
    assert step(found, "[1/4] RUN echo one > /1") == Step(name="[1/4] RUN echo one > /1", start=0.371, seconds=0.209)
    assert [each.start for each in found.steps] == sorted(each.start for each in found.steps)
    assert found.steps[0].start == 0


def test_the_push_is_told_from_the_export_before_it() -> None:
    found = timeline("ok")
    export, push = step(found, "exporting to image"), step(found, "pushing the image")
    assert (export.start, export.seconds) == (0.729, 0.134)
    assert (push.start, push.seconds) == (0.862, 0.165)


@pytest.mark.parametrize(
    ("recorded", "name", "state"),
    [
        ("cached", "[2/4] RUN echo two > /2", State.CACHED),
        ("parallel", "[b 1/2] RUN sleep 1; echo wrong; exit 3", State.FAILED),
        ("parallel", "[a 1/2] RUN sleep 20", State.CANCELED),
        ("cache-export-hangs", "exporting cache to registry", State.CANCELED),
    ],
)
def test_a_step_says_how_it_ended(recorded: str, name: str, state: State) -> None:
    assert step(timeline(recorded), name).state is state


def test_a_step_that_is_not_over_lasts_until_now() -> None:
    times = Times()
    times.vertex({"digest": "d", "name": "[1/1] RUN x", "started": "2026-11-24T10:00:00Z"})
    found = times.timeline(1_795_514_410.0)
    assert found.steps == (Step(name="[1/1] RUN x", start=0.0, seconds=10.0, state=State.RUNNING),)


def test_steps_that_never_began_are_left_out() -> None:
    assert not [each for each in timeline("parallel").steps if "COPY" in each.name]


def test_what_is_looked_at_early_and_made_late_was_not_made_in_between() -> None:
    times = Times()
    for began, end in (("10:00:00Z", "10:00:01Z"), ("10:05:00Z", None), ("10:05:00Z", "10:05:30Z")):
        entry = {"digest": "d", "name": "base", "started": f"2026-11-24T{began}"}
        times.vertex({**entry, **({"completed": f"2026-11-24T{end}"} if end else {})})
    (only,) = times.timeline(LATER).steps
    assert only.seconds == 30


def test_a_step_says_which_others_it_works_on() -> None:
    times = Times()
    for digest, second, inputs in (("base", 1, []), ("run", 2, ["base", "never began"]), ("image", 3, [])):
        began, ended = (f"2026-11-24T10:00:{each:02}Z" for each in (second, second + 1))
        times.vertex({"digest": digest, "name": digest, "inputs": inputs, "started": began, "completed": ended})
    times.vertex({"digest": "run", "name": "run", "started": "2026-11-24T10:00:02Z"})
    pushed = {"started": "2026-11-24T10:00:03.5Z", "completed": "2026-11-24T10:00:04Z"}
    times.status({"id": "pushing layers", "vertex": "image", **pushed})
    assert [(step.name, step.needs) for step in times.timeline(LATER).steps] == [
        ("base", ()),
        ("run", (0,)),
        ("image", ()),
        ("pushing the image", (2,)),
    ]


def test_no_password_of_an_address_is_kept() -> None:
    times = Times()
    times.vertex({"digest": "d", "name": "https://me:pass@example.com/x.tar", "started": "2026-11-24T10:00:00Z"})
    assert times.timeline(LATER).steps[0].name == "https://example.com/x.tar"


def test_a_line_is_read_as_it_was_written() -> None:
    found = Timeline(
        since=1.5, steps=(Step(name="[1/2] RUN é", start=0.0), Step(name="b", start=1, state=State.CACHED))
    )
    assert parse(PREFIX + dump(found)) == found


@pytest.mark.parametrize(("steps", "name"), [(40, 1000), (500, 1000), (1_500, 10)])
def test_a_line_has_a_limit_and_says_what_has_no_room(steps: int, name: int) -> None:
    many = tuple(Step(name="\u0416" * name, start=float(each), seconds=float(each)) for each in range(steps))
    text = dump(Timeline(since=LATER, steps=many))
    assert len(text.encode()) <= LIMIT
    found = parse(PREFIX + text)
    assert found is not None
    assert len(found.steps) + found.more == steps
    assert found.steps[-1].seconds == steps - 1, "the longest one stays"


def test_what_is_left_of_a_line_without_room_still_works_on_the_same_steps() -> None:
    chain = [
        Step(name=f"{each:05}", start=0.0, seconds=each % 7, needs=(each - 1,) * (each > 0)) for each in range(400)
    ]
    found = parse(PREFIX + dump(Timeline(since=LATER, steps=tuple(chain))))
    assert found is not None
    assert found.more > 0
    pairs = {step.name: [found.steps[need].name for need in step.needs] for step in found.steps}
    assert any(pairs.values())
    assert all(need == f"{int(name) - 1:05}" for name, needs in pairs.items() for need in needs)


@pytest.mark.parametrize(
    "line",
    [
        'imagebuild: Built: timeline {"since":1.0}',
        '#7 0.126 imagebuild: timeline {"since":1.0}',
        "imagebuild: timeline ",
        'imagebuild: timeline {"since":"yesterday"}',
        'imagebuild: timeline {"since":NaN}',
        'imagebuild: timeline {"since":1.0,"steps":[{"name":"a","start":0.0,"state":"Odd"}]}',
        "imagebuild: timeline " + "[" * 5000,
        'imagebuild: timeline {"since":1.0,"x":"' + "x" * LIMIT + '"}',
    ],
)
def test_other_lines_are_none(line: str) -> None:
    assert parse(line) is None
