"""hack/bench --quick: that it measures, and what it counts. Figures are for docs/benchmarks.md, and no test's affair.

The operator of the cluster rests meanwhile, and one beside it does its work, also for the other tests.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.bench import control, scale
from testbed.bench.command import run
from testbed.bench.measure import Bed, Result
from testbed.kubectl import Kubectl

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("operator")]


def test_a_build_costs_one_pod_and_no_more_than_three_status_writes_and_nothing_once_it_is_over(
    operator: None, kubectl: Kubectl, tmp_path: Path
) -> None:
    result = run(control.GROUP, Bed(kubectl=kubectl, directory=tmp_path, quick=True))
    assert set(samples(result, control.PODS)) == {1}
    assert set(samples(result, control.STATUS_WRITES)) <= {2, 3}
    # what the operator itself counts is also of the other tests' builds
    assert samples(result, control.WRITTEN_TO) == [0]


def test_many_builds_at_once_lose_none_and_make_no_pod_twice(operator: None, kubectl: Kubectl, tmp_path: Path) -> None:
    result = run(scale.GROUP, Bed(kubectl=kubectl, directory=tmp_path, quick=True))
    assert samples(result, scale.BUILDS) == [scale.QUICK.finished]
    assert samples(result, scale.NOT_ONE) == [0]
    assert samples(result, scale.AMISS) == [0]


def samples(result: Result, name: str) -> list[float]:
    (row,) = (row for row in result.rows if row.name == name)
    return list(row.samples)
