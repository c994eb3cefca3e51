"""The recording in docs/: what is drawn of it is of this session, small, and needs nothing but itself."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from documents import ROOT
from recording import picture, terminal
from recording.cast import COLUMNS, IDLE, ROWS, Cast, Write, load
from recording.command import CAST, drawn

LIMIT = 500 * 1024


def test_picture_and_text_are_those_of_the_recording() -> None:
    for name, text in drawn(load(CAST)).items():
        assert (ROOT / "docs" / name).read_text() == text, "run hack/record --draw"


def test_the_picture_is_small_and_neither_runs_a_script_nor_asks_for_anything() -> None:
    text = CAST.with_name("session.svg").read_text()
    assert len(text.encode()) < LIMIT
    names = {element.tag.rpartition("}")[2] for element in ET.fromstring(text).iter()}
    assert names == {"svg", "title", "style", "rect", "defs", "text", "tspan", "g", "use"}
    assert "url(" not in text
    assert "@import" not in text


def test_the_text_has_an_image_and_a_failure_with_its_next_step() -> None:
    said = CAST.with_name("session.txt").read_text()
    for words in ("$ kubectl apply -f shop.yaml", "Succeeded", "@sha256:", "StepFailed", "srot: not found"):
        assert words in said


def test_a_recording_is_read_as_it_was_written(tmp_path: Path) -> None:
    cast = Cast("a title", (Write(0.5, "$ "), Write(9.25, "\x1b[32mü\x1b[0m\r\n")))
    (tmp_path / "a.cast").write_text(cast.dump())
    assert load(tmp_path / "a.cast") == cast
    assert [write.at for write in cast.shown()] == [0.5, 0.5 + IDLE]


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("one\r\ntwo", "one\ntwo\n"),
        ("50 %\r100 %\r\n", "100 %\n"),
        ("\x1b[31mred\x1b[0m <&>\r\n", "red <&>\n"),
        ("before\r\n\x1b[H\x1b[2Jafter", "before\n\nafter\n"),
    ],
    ids=["lines", "a line that is written over", "colours", "a cleared screen"],
)
def test_the_text_is_what_was_to_be_seen(written: str, seen: str) -> None:
    assert picture.text(Cast("", (Write(0, written),))) == seen


def test_a_row_that_stays_is_drawn_once_and_nothing_in_it_is_markup() -> None:
    drawn_ = picture.svg(Cast("<t>", (Write(0, "<&>\r\n"), Write(1, "\x1b[1;31mred\x1b[0m\r\n"))))
    assert drawn_.count("&lt;&amp;&gt;</text>") == 1
    assert '<tspan fill="#ff7b72" font-weight="bold">red</tspan>' in drawn_
    ET.fromstring(drawn_)


def test_somebody_types_at_a_real_terminal(tmp_path: Path) -> None:
    (tmp_path / "said").write_text("one\ntwo\n")
    with terminal.opened(tmp_path, {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, hurried=True) as shell:
        shell.types("test -t 0 && stty size")
        shell.clears()
        shell.types("tail -f said", until="two")
    assert f"{ROWS} {COLUMNS}" in shell.text
    assert picture.text(Cast("", tuple(shell.writes))).splitlines()[-4:-1] == [
        "$ tail -f said",
        "one",
        "two",
    ]
