"""hack/bench --quick of the groups that build: each side builds what the others build. How fast it is, no test says."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.bench import builds, caches, startup
from testbed.bench.command import run
from testbed.bench.measure import Bed, Group, Result
from testbed.bench.sides import BY_HAND
from testbed.bench.site import MODES
from testbed.kubectl import Kubectl

pytestmark = [pytest.mark.cluster, pytest.mark.thorough]


@pytest.fixture
def measured(operator: None, kubectl: Kubectl, tmp_path: Path, request: pytest.FixtureRequest) -> Result:
    group: Group = request.param
    return run(group, Bed(kubectl=kubectl, directory=tmp_path, quick=True))


@pytest.mark.parametrize("measured", [pytest.param(builds.GROUP, id="once")], indirect=True)
def test_every_side_builds_the_same(measured: Result) -> None:
    sides = {row.name.partition(": ")[2] for row in measured.rows if ": " in row.name}
    assert {BY_HAND, *(f"imagebuild, {mode}" for mode in MODES)} <= sides
    assert {side.split()[0] for side in sides} == {"imagebuild,", "hand-written", "buildah", "Docker-in-Docker"}


@pytest.mark.parametrize("measured", [pytest.param(caches.GROUP, id="once")], indirect=True)
def test_a_new_branch_finds_the_base_branchs_cache(measured: Result) -> None:
    (found,) = (row.note for row in measured.rows if (row.name, row.column) == ("new branch", caches.DEFAULT))
    assert found == "4/8"
    (exported,) = (row for row in measured.rows if row.unit == "MB")
    assert exported.p50 > 100


@pytest.mark.parametrize("measured", [pytest.param(startup.GROUP, id="once")], indirect=True)
def test_a_build_of_nothing_is_told_in_parts(measured: Result) -> None:
    rows = {row.name: row for row in measured.rows}
    whole, first = rows["the smallest build"], "the smallest build: "
    parts = {name.removeprefix(first): row.p50 for name, row in rows.items() if name.startswith(first)}
    assert len(parts) >= 8
    alone = [seconds for part, seconds in parts.items() if part not in ("fetch", "daemon")]
    assert sum(alone) == pytest.approx(whole.p50), "nothing is left out or told twice"
    assert rows[startup.RUNNER].beside == startup.OWN
