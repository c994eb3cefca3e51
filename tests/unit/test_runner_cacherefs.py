"""Which cache refs a build looks for, reads and writes."""

from __future__ import annotations

import re

import pytest

from imagebuild.contract.plan import BranchCache, CacheExport, CacheImport
from imagebuild.contract.result import LookUp
from imagebuild.runner.cacherefs import candidates, choose, slug, tag

CACHE = BranchCache(repository="r.io/a", scope="s")


def ref(branch: str) -> str:
    return f"r.io/a:{tag(CACHE, branch)}"


@pytest.mark.parametrize(
    ("policy", "current", "base", "there", "imported", "looked_for"),
    [
        pytest.param("CurrentElseBase", "t", "main", {"t", "main"}, ["t"], ["t"], id="the own cache if there is one"),
        pytest.param("CurrentElseBase", "t", "main", {"main"}, ["main"], ["t", "main"], id="else the base branch's"),
        pytest.param("CurrentElseBase", "t", "main", set(), [], ["t", "main"], id="else none"),
        pytest.param("CurrentElseBase", "main", "main", {"main"}, ["main"], ["main"], id="the base branch looks once"),
        pytest.param("CurrentElseBase", None, "main", {"main"}, ["main"], ["main"], id="without a branch the base's"),
        pytest.param("CurrentElseBase", "t", None, {"t"}, ["t"], ["t"], id="without a base the own"),
        pytest.param("Both", "t", "main", {"t", "main"}, ["main", "t"], ["main", "t"], id="both, base first"),
        pytest.param("Both", "t", "main", {"t"}, ["t"], ["main", "t"], id="both, as far as they are there"),
        pytest.param("Current", "t", "main", {"main"}, [], ["t"], id="the own and no other"),
        pytest.param("Current", None, "main", {"main"}, [], [], id="the own of no branch"),
        pytest.param("None", "t", "main", {"t", "main"}, [], [], id="none at all"),
    ],
)
def test_what_is_imported(  # noqa: PLR0917 a row of the table
    policy: str, current: str | None, base: str | None, there: set[str], imported: list[str], looked_for: list[str]
) -> None:
    exists = {tag(CACHE, branch) for branch in there}
    cache = BranchCache(repository="r.io/a", scope="s", imports=CacheImport(policy))
    found = choose(cache, current, base, lambda name: LookUp.FOUND if name in exists else LookUp.NOT_FOUND)
    assert found.imports == tuple(map(ref, imported))
    assert [entry.ref for entry in found.looked_for] == list(map(ref, looked_for))
    assert {entry.ref.partition(":")[2] for entry in found.looked_for} <= set(candidates(cache, current, base))


@pytest.mark.parametrize(
    ("policy", "current", "written"),
    [
        pytest.param("Always", "t", "t", id="the branch's own"),
        pytest.param("Always", "main", "main", id="the base's by a build of the base"),
        pytest.param("Always", None, None, id="none by a build of no branch"),
        pytest.param("BaseOnly", "t", None, id="none by another branch"),
        pytest.param("BaseOnly", "main", "main", id="the base's alone"),
        pytest.param("Never", "main", None, id="never"),
    ],
)
def test_what_is_written(policy: str, current: str | None, written: str | None) -> None:
    cache = BranchCache(repository="r.io/a", scope="s", export=CacheExport(policy))
    found = choose(cache, current, "main", lambda _: LookUp.NOT_FOUND)
    assert found.export == (ref(written) if written else None)


@pytest.mark.parametrize(
    ("branch", "slugged"),
    [
        ("main", "main"),
        ("feature/A", "feature-a"),
        ("-x..", "x"),
        ("ünï/cödé", "n-c-d"),
        ("renovate/major-react-router-dom-monorepo-to-v7", "renovate-major-react-router-dom-monorepo-to-v7"),
        ("日本", "branch-cf2abf0c5b"),
        ("a" * 200, f"{'a' * 40}-c2a908d98f"),
    ],
)
def test_a_branch_becomes_part_of_a_tag(branch: str, slugged: str) -> None:
    assert slug(branch) == slugged
    assert re.fullmatch(r"buildcache-[a-z0-9.-]+-[0-9a-f]{10}", tag(CACHE, branch))


def test_branches_that_a_tag_cannot_hold_whole_stay_apart() -> None:
    assert len({slug(branch) for branch in (f"{'a' * 70}1", f"{'a' * 70}2", "日本", "中国")}) == 4


def test_branches_and_builds_with_equal_slugs_have_different_refs() -> None:
    other = BranchCache(repository="r.io/a", scope="another")
    assert len({tag(CACHE, "feature/a"), tag(CACHE, "feature-a"), tag(other, "feature-a")}) == 3
