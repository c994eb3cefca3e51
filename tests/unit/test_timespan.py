"""Time spans, read as Kubernetes writes them and written for people."""

from __future__ import annotations

import pytest

from imagebuild.api.timespan import seconds, short


@pytest.mark.parametrize(
    ("span", "wanted"), [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("1.5h", 5400), ("500ms", 0.5), ("1h1s", 3601)]
)
def test_a_time_span_is_so_many_seconds(span: str, wanted: float) -> None:
    assert seconds(span) == wanted


@pytest.mark.parametrize(
    "span",
    [
        pytest.param("", id="nothing"),
        pytest.param("90", id="no unit"),
        pytest.param("0s", id="no time at all"),
        pytest.param("-5s", id="less than no time"),
        pytest.param("5 s", id="a blank inside"),
        pytest.param("5s later", id="words after it"),
        pytest.param("2d", id="days, which Go does not know"),
        pytest.param("1us", id="microseconds, which nobody needs"),
    ],
)
def test_anything_else_is_refused_with_an_example(span: str) -> None:
    with pytest.raises(ValueError, match="such as 90s, 30m or 2h"):
        seconds(span)


def test_a_time_span_is_not_longer_than_a_pod_may_have() -> None:
    assert seconds("596523h") < 2**31
    with pytest.raises(ValueError, match="more than 68 years"):
        seconds("596524h")


@pytest.mark.parametrize(
    ("span", "wanted"),
    [(0, "0s"), (0.4, "0s"), (45, "45s"), (59.6, "1m0s"), (90, "1m30s"), (3599, "59m59s"), (7500, "2h5m")],
)
def test_a_time_span_is_written_in_its_two_greatest_units(span: float, wanted: str) -> None:
    assert short(span) == wanted
