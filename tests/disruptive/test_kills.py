"""The operator is killed again and again while it has hundreds of builds. `hack/soak kills` does the same for longer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.kills import Plan, builds_under_kills
from testbed.kubectl import Kubectl

pytestmark = [pytest.mark.cluster, pytest.mark.disruptive]

PLAN = Plan(builds=200, real=20, kills=50, longest_pause=4, seed=4)


def test_fifty_kills_lose_no_build_double_none_and_leave_every_status_right(
    operator: None, new_namespace: Callable[[str], Kubectl], tmp_path: Path
) -> None:
    spaces = [new_namespace(suffix) for suffix in ("-a", "-b", "-real")]
    report = builds_under_kills(spaces[0].within(""), spaces, tmp_path, PLAN)
    print(report)
    assert (report.lost, report.doubled, report.wrong) == ([], [], [])
    assert (report.builds, report.kills) == (220, 50)
    assert min(report.unfinished_at_kills) > 0, "each kill disturbs something"
