"""What hack/bench makes of figures: statistics, what was reached, the page and its plots."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from testbed import machine
from testbed.bench import plot, table
from testbed.bench.measure import Result, Row, dump, load
from testbed.place import git
from unit.test_cli_page_style import contrast

OURS = Row(group="g", name="ours", unit="ms", samples=(3, 1, 2), beside="theirs", reach=("ratio ≤ 0.5", "p99 ≤ 2"))
THEIRS = Row(group="g", name="theirs", unit="ms", samples=(4.0, 4.0))
CURVE = tuple(Row(group="g", name="cost <&>", unit="ms/object", samples=(n / 10,), at=n) for n in (10, 100, 1000))
RESULT = Result(group="g", command="hack/bench g", machine={"cores": "2 cores"}, rows=(OURS, THEIRS, *CURVE))
TEXT = "# Hand\n<!-- hack/bench g -->\nold\n<!-- end -->\nwritten\n<!-- hack/bench h -->\n<!-- end -->\n"


def test_a_run_is_read_as_it_was_written() -> None:
    counted = replace(THEIRS, name="counted", unit="")
    with_it = replace(RESULT, rows=(*RESULT.rows, counted))
    assert load(dump(with_it)) == with_it


def test_a_row_a_line_so_that_a_change_of_one_is_one() -> None:
    assert len(re.findall(r"^  \{", dump(RESULT), re.MULTILINE)) == len(RESULT.rows)


def test_p99_of_few_samples_is_the_most_there_was() -> None:
    assert (OURS.p50, OURS.p99) == (2, 3)
    many = replace(OURS, samples=tuple(range(1, 1001)))
    assert many.p50 == 500.5
    assert many.p99 == pytest.approx(990, abs=0.1)


def test_p99_of_a_rate_is_the_low_end_of_it() -> None:
    rate = replace(OURS, unit="pods/s", reach=("p99 ≥ 2",))
    assert (rate.p50, rate.p99) == (2, 1)
    assert RESULT.reached(rate) == {"p99 ≥ 2": False}
    assert replace(rate, samples=tuple(range(1, 1001))).p99 == pytest.approx(11, abs=0.1)


def test_what_was_reached_is_judged_by_the_figures() -> None:
    assert RESULT.ratio(OURS) == 0.5
    assert RESULT.reached(OURS) == {"ratio ≤ 0.5": True, "p99 ≤ 2": False}
    assert RESULT.reached(replace(OURS, reach=("least ≥ 1", "p50 ≥ 2.1", "most ≤ 1,000"))) == {
        "least ≥ 1": True,
        "p50 ≥ 2.1": False,
        "most ≤ 1,000": True,
    }


def test_what_is_to_be_reached_must_be_readable() -> None:
    with pytest.raises(AssertionError, match="quick"):
        replace(OURS, reach=("quick",))


def test_the_page_keeps_what_people_wrote_and_says_what_is_not_measured() -> None:
    made = table.page(TEXT, {"g": RESULT})
    assert table.page(made, {"g": RESULT}) == made
    assert "old" not in made
    assert made.startswith("# Hand\n")
    assert "\nwritten\n" in made
    assert "`hack/bench h`" in made
    assert "| ours | 3 | 2 ms | 3 ms | 1…3 ms | 0.500 times theirs | ratio ≤ 0.5: yes; p99 ≤ 2: **no** |" in made
    assert "| cost <&>, 1,000 objects | 1 | 100 ms/object |" in made


def test_rows_with_columns_are_a_table_of_their_own_with_a_line_for_each_name() -> None:
    rows = (
        Row(group="g", name="first | last", column="this", unit="s", samples=(2.0,), note="4/8"),
        Row(group="g", name="first | last", column="that", unit="s", samples=(1.0,), beside="this"),
        Row(group="g", name="again", column="that", unit="s", samples=(0.03,)),
    )
    result = replace(RESULT, rows=(OURS, THEIRS, *rows))
    assert result.ratio(rows[1]) == 0.5
    assert load(dump(result)) == result
    plain, crossed = table.table(result).split("\n\n")
    assert "again" not in plain
    assert crossed == (
        "| p50 | this | that |\n|---|---|---|\n| first &#124; last | 2 s (4/8) | 1 s |\n| again |  | 30 ms |\n"
    )
    assert plot.titles(result).keys() == {"g-ms.svg", "g-s.svg"}


def test_rows_beside_others_are_bars_and_rows_of_several_sizes_are_curves() -> None:
    assert plot.titles(RESULT).keys() == {"g-ms.svg", "g-curve-ms-per-object.svg"}
    for text in plot.plots(RESULT).values():
        ET.fromstring(text)
    bars = plot.plots(RESULT)["g-ms.svg"]
    assert [">ours<" in bars, ">theirs<" in bars, "cost" in bars] == [True, True, False]


@pytest.mark.parametrize("scheme", plot.SCHEMES)
def test_plots_are_read_in_both_colour_schemes(scheme: str) -> None:
    """Contrast as WCAG 2 counts it; a plot brings its background along."""
    colours = dict(plot.SCHEMES[scheme])
    back = colours.pop("back")
    assert {name: ratio for name, colour in colours.items() if (ratio := contrast(colour, back)) < 4.5} == {}
    assert all(colour in plot.plots(RESULT)["g-ms.svg"] for colour in (*colours.values(), back))


def test_a_figure_that_is_written_into_the_documents_does_not_make_the_next_one_look_uncommitted(
    tmp_path: Path,
) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("docs/benchmarks.md", "code"):
        (tmp_path / name).write_text("before")
    git("init", "--quiet", cwd=tmp_path)
    git("add", "--all", cwd=tmp_path)
    git("-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message=one", cwd=tmp_path)
    clean = git("rev-parse", "--short", "HEAD", cwd=tmp_path)
    (tmp_path / "docs" / "benchmarks.md").write_text("after")
    assert machine.commit(tmp_path) == clean
    (tmp_path / "code").write_text("after")
    assert machine.commit(tmp_path) == f"{clean}-dirty"
