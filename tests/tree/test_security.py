"""docs/security.md is the table of tests/hostile.py, and each of its lines is a test that is there."""

from __future__ import annotations

import re

import pytest

from documents import ROOT
from generator import seccomp
from hostile import ATTEMPTS, MODES, ROWS, TABLES, Attempt, Row, table
from testbed.hostile.__main__ import ATTEMPTS as CODE

PAGE = (ROOT / "docs" / "security.md").read_text()
CONTROLS = {"own-file", "own-server"}


@pytest.mark.parametrize("rows", TABLES, ids=lambda rows: rows[0].tried)
def test_the_page_shows_each_table_as_it_is(rows: tuple[Attempt, ...] | tuple[Row, ...]) -> None:
    assert f"\n\n{table(rows)}\n\n" in PAGE


def test_the_page_has_no_line_of_its_own() -> None:
    shown = [
        line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| tried |", "| call |"))
    ]
    assert shown == [each.row for rows in (*TABLES, seccomp.ADDED) for each in rows]


def test_the_page_shows_the_calls_of_the_seccomp_profile() -> None:
    assert f"\n\n{seccomp.table()}\n\n" in PAGE


def test_each_attempt_is_made_and_shown() -> None:
    assert {attempt.name for attempt in ATTEMPTS} | CONTROLS == set(CODE)
    assert all(attempt.succeeds <= set(MODES) for attempt in ATTEMPTS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.tried)
def test_each_other_line_names_a_test_that_is_there(row: Row) -> None:
    file, _, name = row.test.partition("::")
    assert re.search(rf"^(async )?def {name}\(", (ROOT / "tests" / file).read_text(), re.MULTILINE)
