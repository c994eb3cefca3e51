"""Whose word counts when several ask the runner to stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuild.contract.reasons import Reason
from imagebuild.runner.problem import Problem
from imagebuild.runner.stop import Stop


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        pytest.param([Reason.STOPPED], Reason.STOPPED, id="a TERM alone"),
        pytest.param([Reason.CANCELLED, Reason.STOPPED], Reason.CANCELLED, id="a word before a TERM"),
        pytest.param([Reason.STOPPED, Reason.CANCELLED], Reason.CANCELLED, id="a word after a TERM"),
        pytest.param([Reason.SUPERSEDED, Reason.TIMED_OUT], Reason.SUPERSEDED, id="the first of two words"),
    ],
)
def test_the_operators_first_word_says_most(asked: list[Reason], reason: Reason) -> None:
    stop = Stop(Path("stop"))
    stop.check()
    for word in asked:
        stop._ask(word)
    with pytest.raises(Problem) as raised:
        stop.check()
    assert raised.value.reason is reason
