"""The table of reasons: every way a build waits or ends has a sentence, and every failure a next step."""

from __future__ import annotations

import pytest

from imagebuild.contract.reasons import TABLE, Fault, Reason


@pytest.mark.parametrize("reason", Reason, ids=str)
def test_every_reason_is_a_word_and_a_sentence(reason: Reason) -> None:
    assert reason.value.isalnum()
    assert reason.value[0].isupper()
    assert reason.row.sentence.endswith(".")


@pytest.mark.parametrize(
    "reason",
    [r for r in Reason if r.row.fault in (Fault.USER, Fault.CONFIGURATION, Fault.INFRASTRUCTURE)],
    ids=str,
)
def test_every_failure_says_what_to_do_next(reason: Reason) -> None:
    assert reason.row.next_step.endswith(".")


def test_the_table_has_a_row_for_each_reason_and_no_other() -> None:
    assert set(TABLE) == set(Reason)


@pytest.mark.parametrize(
    ("fault", "exit_code", "retried"),
    [
        (Fault.NONE, None, False),
        (Fault.WAITING, None, False),
        (Fault.USER, 1, False),
        (Fault.CONFIGURATION, 2, False),
        (Fault.INFRASTRUCTURE, 3, True),
        (Fault.STOPPED, 4, False),
        (Fault.TOO_LATE, 5, False),
    ],
)
def test_whose_fault_it_is_says_whether_it_is_tried_again_and_how_a_command_ends(
    fault: Fault, exit_code: int | None, retried: bool
) -> None:
    rows = [row for row in TABLE.values() if row.fault is fault]
    assert rows
    assert {(row.exit_code, row.retried) for row in rows} == {(exit_code, retried)}
