"""What each step printed, as far as a build's page has room for it."""

from __future__ import annotations

from imagebuild.cli.logs import Line
from imagebuild.cli.page.excerpts import Excerpt, Excerpts, fitted
from imagebuild.cli.page.markup import shown
from imagebuild.contract.timeline import Step


def test_an_excerpt_is_the_end_of_what_a_step_printed() -> None:
    log = ["#3 [1/1] RUN x", *(f"#3 0.1 {each}" for each in range(100)), "#3 ...", "#3 [1/1] RUN x", "#3 DONE 1.0s"]
    excerpts = Excerpts()
    lines = [Line("", text) for text in [*log, "#4 [1/1] RUN xy", "#4 0.2 " + "y" * 5000, "imagebuild: Built"]]
    assert list(excerpts.watch(lines)) == lines
    y, x, nothing = excerpts.of([Step(name=name, start=0.0) for name in ("[1/1] RUN xy", "[1/1] RUN x", "[1/1] RUN z")])
    assert x == Excerpt(tuple(f"0.1 {each}" for each in range(40, 100)), 40)
    assert (len(y.lines), len(y.lines[0])) == (1, 602)
    assert nothing == Excerpt()


def test_names_that_a_timeline_has_cut_or_cleaned_are_found_in_the_log() -> None:
    name = "https://me:pass@example.com/" + "x" * 300
    excerpts = Excerpts()
    list(excerpts.watch([Line("", f"#1 {name}"), Line("", "#1 0.1 here")]))
    (found,) = excerpts.of([Step(name=name.replace("me:pass@", "")[:120], start=0.0)])
    assert found.lines == ("0.1 here",)


def test_room_goes_to_the_step_that_failed_first_and_lines_are_left_out_from_the_top() -> None:
    said = Excerpt(tuple("<" * 99 for _ in range(60)), 5)
    first, blamed, last = fitted([said, said, said], 1, 33_000)
    assert [len(each.lines) for each in (first, blamed, last)] == [23, 60, 0]
    assert first.before == 42
    assert sum(len(shown(line)) + 1 for each in (first, blamed, last) for line in each.lines) <= 33_000
