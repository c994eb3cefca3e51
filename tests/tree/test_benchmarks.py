"""docs/benchmarks.md and the figures beside it have the groups of hack/bench, and no others."""

from __future__ import annotations

from testbed.bench import files, table
from testbed.bench.groups import GROUPS


def test_every_group_has_its_place_on_the_page_and_every_figure_its_group() -> None:
    assert table.groups(files.PAGE.read_text()) == [group.name for group in GROUPS]
    assert files.results().keys() <= {group.name for group in GROUPS}
