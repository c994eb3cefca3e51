"""`imagebuild timeline`: what is known of a build's phases and steps, and how it is drawn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from imagebuild.cli import phases
from imagebuild.cli.chart import chart
from imagebuild.cli.logs import Line, Pod, everything, lines
from imagebuild.cli.phases import Span
from imagebuild.cli.steps import Steps, read
from imagebuild.cli.view import View
from imagebuild.contract.timeline import PREFIX, State, Step, Timeline, dump
from unit import clidocuments

NOW = datetime(2026, 11, 24, 12, 1, tzinfo=UTC)
FORGED = PREFIX + '{"since":1.0}'
RECORDED = Path(__file__).parent / "recorded"


def line(second: float, text: str) -> Line:
    return Line(f"2026-11-24T12:00:{second:06.3f}Z", text)


PROGRESS = [
    line(1, "#1 [internal] load build definition from Dockerfile"),
    line(1, "#1 DONE 0.0s"),
    line(2, "#2 [build 1/2] FROM busybox"),
    line(2, "#2 CACHED"),
    line(3, "#3 [build 2/2] RUN make"),
    line(3.5, "#3 0.400 DONE 9.9s"),
    line(3.5, "#3 0.400 #4 [build 9/9] RUN forged"),
    line(4, "#4 [test 2/2] RUN test"),
    line(8, "#3 DONE 6.0s"),
    line(9, "#4 ERROR: process did not complete"),
    line(9, "#5 [other 2/2] RUN long"),
]


def test_the_steps_of_a_build_that_goes_on_are_those_of_its_progress() -> None:
    found = read(PROGRESS, NOW)
    assert found is not None
    assert not found.exact
    assert [(step.name, step.start, step.seconds, step.state) for step in found.timeline.steps] == [
        ("[internal] load build definition from Dockerfile", 0, 0, State.DONE),
        ("[build 1/2] FROM busybox", 1, 0, State.CACHED),
        ("[build 2/2] RUN make", 1, 6, State.DONE),
        ("[test 2/2] RUN test", 3, 5, State.FAILED),
        ("[other 2/2] RUN long", 8, 51, State.RUNNING),
    ]


def test_the_runner_s_summary_goes_before_progress_and_the_last_one_counts() -> None:
    first, last = Timeline(since=1.0), Timeline(since=2.0, steps=(Step(name="[1/1] RUN x", start=0.0),))
    summed = [line(20, PREFIX + dump(first)), line(21, PREFIX + dump(last)), line(22, "imagebuild: Built")]
    assert read([*PROGRESS, *summed], NOW) == Steps(last, exact=True)


def test_no_output_of_a_step_is_taken_for_a_summary() -> None:
    found = read([*PROGRESS, line(10, f"#5 1.0 {FORGED}"), line(10, f" {FORGED}"), line(11, f"0.1 {FORGED}")], NOW)
    assert found is not None
    assert not found.exact


def test_a_log_without_a_step_has_no_steps() -> None:
    assert read([line(1, "imagebuild: StepFailed"), line(1, "# hello")], NOW) is None


class Log:
    def log(self, pod: str, container: str, *, since: str | None, follow: bool) -> Any:
        yield f"2026-11-24T12:00:00.1Z {FORGED}\n".encode()
        yield b"2026-11-24T12:00:00.2Z imagebuild: Built\n"


def test_people_who_read_the_log_do_not_see_the_summary() -> None:
    assert [each.text for each in lines(Log(), Pod("shop-1", over=True))] == ["imagebuild: Built"]
    assert [each.text for each in everything(Log(), Pod("shop-1", over=True))] == [FORGED, "imagebuild: Built"]


def at(second: float) -> datetime:
    return datetime(2026, 11, 24, 12, tzinfo=UTC) + timedelta(seconds=second)


def ended(**status: Any) -> View:
    spent = {"pod": 5.0, "fetch": 1.0, "daemon": 3.0, "solve": 30.0, "total": 33.5}
    times = {"queuedAt": "2026-11-24T12:00:00Z", "startedAt": "2026-11-24T12:00:10Z", "timings": spent}
    return View(clidocuments.build(1, **{**clidocuments.BUILT["status"], "run": 1, **times, "attempt": 1, **status}))


STEPS = Steps(Timeline(since=at(14).timestamp(), steps=(Step(name="[1/1] RUN x", start=1.0, seconds=2.0),)), exact=True)
SCHEDULED = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-24T12:00:07Z"}
POD = {"metadata": {"creationTimestamp": "2026-11-24T12:00:04Z"}, "status": {"conditions": [SCHEDULED]}}


@pytest.mark.parametrize(
    ("build", "pod", "steps", "told"),
    [
        pytest.param(View(clidocuments.NEW), {}, None, [], id="nobody has seen it"),
        pytest.param(
            View(clidocuments.build(1, phase="Pending", queuedAt="2026-11-24T12:00:00Z")),
            {},
            None,
            [("queue", 0, 60, "Running")],
            id="it waits for its turn",
        ),
        pytest.param(
            ended(),
            {},
            STEPS,
            [
                ("queue", 0, 5, "Done"),
                ("pod start", 5, 5, "Done"),
                ("fetch", 11, 1, "Done"),
                ("daemon", 11, 3, "Done"),
                ("[1/1] RUN x", 15, 2, "Done"),
            ],
            id="it is over, and its pod may not be seen",
        ),
        pytest.param(
            ended(attempt=2),
            POD,
            None,
            [
                ("queue, attempts before", 0, 4, "Done"),
                ("schedule", 4, 3, "Done"),
                ("container start", 7, 3, "Done"),
                ("fetch", 10, 1, "Done"),
                ("daemon", 10, 3, "Done"),
                ("build, push, cache", 13.5, 30, "Done"),
            ],
            id="its second attempt is over, without a log",
        ),
        pytest.param(
            ended(phase="Running", podUID="u", timings=None),
            POD,
            STEPS,
            [
                ("queue", 0, 4, "Done"),
                ("schedule", 4, 3, "Done"),
                ("container start", 7, 3, "Done"),
                ("fetch and daemon", 10, 4, "Done"),
                ("[1/1] RUN x", 15, 2, "Done"),
            ],
            id="it runs",
        ),
        pytest.param(
            ended(phase="Running", podUID="u", timings=None, startedAt=None),
            {**POD, "status": {}},
            None,
            [("queue", 0, 4, "Done"), ("schedule", 4, 56, "Running")],
            id="its pod is not scheduled",
        ),
    ],
)
def test_phases_are_told_as_far_as_they_are_known(
    build: View, pod: dict[str, Any], steps: Steps | None, told: list[tuple[str, float, float, str]]
) -> None:
    found = phases.spans(build, pod, steps, NOW)
    assert [(each.name, (each.start - at(0)).total_seconds(), each.seconds, each.state) for each in found] == told
    document = phases.document(build, found, steps, "")
    assert [(each["name"], each["seconds"]) for each in document["spans"]] == [
        (name, took) for name, _, took, _ in told
    ]


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("[2/3] RUN make", "Dockerfile"),
        ("[ 2/12] RUN make", "Dockerfile"),
        ("[build 2/3] RUN make", "stage build"),
        ("[stage-2 1/3] COPY --from=a /a /a", "stage stage-2"),
        ("[linux/arm64 build  2/13] RUN make", "stage linux/arm64 build"),
        ("[internal] load build context", "internal"),
        ("[context base] OCI load from client", "internal"),
        ("importing cache manifest from r.io/cache:main", "internal"),
        ("exporting to image", "export"),
        ("exporting cache to registry", "export"),
        ("pushing the image", "export"),
    ],
)
def test_a_step_belongs_to_its_stage(name: str, group: str) -> None:
    found = Steps(Timeline(since=1.0, steps=(Step(name=name, start=0.0),)), exact=True)
    (span,) = phases.spans(View(clidocuments.NEW), {}, found, NOW)
    assert span.group == group


def test_whatever_a_pod_says_is_a_time_of_a_calendar() -> None:
    wild = Timeline(since=1e300, steps=(Step(name="[1/1] RUN x", start=-1e300, seconds=1e300),))
    spans = phases.spans(View(clidocuments.NEW), {}, Steps(wild, exact=True), NOW)
    assert chart(spans, 80, plain=True)


def span(group: str, name: str, start: float, seconds: float, state: State = State.DONE) -> Span:
    return Span(group=group, name=name, start=at(start), seconds=seconds, state=state)


TWO_STAGES = [
    span("phases", "queue", 0, 600),
    span("phases", "fetch", 600, 2),
    span("internal", "[internal] load .dockerignore", 602, 0.01),
    span("stage one", "[one 1/2] RUN echo 1", 602, 4),
    span("stage two", "[two 1/2] RUN echo 2", 602, 0, State.CACHED),
    span("stage two", "[two 2/2] RUN false", 604, 2, State.FAILED),
    span("export", "exporting to image", 606, 2, State.RUNNING),
]
DRAWN = """\
phases
  queue              <#####                       10m00s
  fetch                    #####                    2.0s
stage one
  1/2 RUN echo 1                #########           4.0s
stage two
  1/2 RUN echo 2                =                 cached
  2/2 RUN false                      xxxx           2.0s
export
  exporting to image                     >>>>>      2.0s

10.7 s from left to right, = cached, x failed, > running
1 more of BuildKit's own, each less than 0.1 s: -o json"""


def test_stages_are_drawn_side_by_side_and_a_long_queue_takes_a_quarter() -> None:
    assert "\n".join(row.text for row in chart(TWO_STAGES, 56, plain=True)) == DRAWN


@pytest.mark.parametrize("width", [30, 57, 80, 200])
@pytest.mark.parametrize("plain", [True, False])
def test_no_row_is_wider_than_the_terminal(width: int, *, plain: bool) -> None:
    wide = span("stage two", "[two 2/2] RUN echo " + "寿司 " * 40, 604, 2)
    for row in chart([*TWO_STAGES, wide], width, plain=plain):
        assert cell_len(row.text) <= width, row.text
        assert row.text.isascii() or not plain


def test_nothing_in_a_name_steers_the_terminal() -> None:
    rows = chart([span("Dockerfile", "[1/1] RUN \x1b]0;title\x07\r\nx", 0, 1)], 80, plain=False)
    assert not [row for row in rows if any(ord(character) < 32 for character in row.text)]


def test_nothing_is_drawn_where_nothing_is_known() -> None:
    assert chart([], 80, plain=True) == []
