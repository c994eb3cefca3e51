"""`spec.cache.branch`: where cache refs are kept, who shares them, and when there is none."""

from __future__ import annotations

from typing import Any

import pytest

import make
from imagebuild.contract.plan import BranchCache, CacheExport, CacheImport
from imagebuild.core.cache import branch_cache, cache
from imagebuild.core.part import Part

GIT = {"git": {"url": "https://git.example.com/shop.git", "branch": "main"}}
IMAGES = {"images": ["registry.example.com/shop/api:{commit}", "elsewhere.example.com/api:1"]}


def cache_of(fields: dict[str, Any], name: str = "shop") -> BranchCache | None:
    build = make.make_build({"source": GIT, "output": IMAGES, **fields}, name=name)
    assert build.spec is not None
    return branch_cache(build, build.spec)


def scope_of(fields: dict[str, Any], name: str = "shop") -> str:
    found = cache_of(fields, name)
    assert found is not None
    return found.scope


def test_without_a_word_about_it_the_cache_is_beside_the_first_image() -> None:
    found = cache_of({})
    assert found is not None
    assert found.repository == "registry.example.com/shop/api"
    assert (found.base, found.imports, found.export) == (None, CacheImport.CURRENT_ELSE_BASE, CacheExport.ALWAYS)


def test_all_of_it_can_be_said() -> None:
    given = {"repository": "r.io/c", "base": "dev", "scope": "s", "import": "Both", "export": "BaseOnly"}
    assert cache_of({"cache": {"branch": given}}) == BranchCache(
        repository="r.io/c",
        base="dev",
        scope='["https://git.example.com/shop.git", "s"]',
        imports=CacheImport.BOTH,
        export=CacheExport.BASE_ONLY,
    )


def test_each_platform_has_a_cache_of_its_own() -> None:
    assert len({scope_of({"platforms": [name]}) for name in ("linux/amd64", "linux/arm64")} | {scope_of({})}) == 3


def test_an_image_that_asks_for_a_compression_has_a_cache_of_that_and_shares_it_with_no_other() -> None:
    gzip = cache_of({"output": {**IMAGES, "compression": {"type": "Gzip", "level": 9}}})
    assert gzip is not None
    assert gzip.compression == "gzip"
    found = cache_of({})
    assert found is not None
    assert found.compression == "zstd"
    scopes = {scope_of({"output": {**IMAGES, "compression": {"type": kind}}}) for kind in ("Gzip", "Zstd")}
    assert len(scopes | {scope_of({})}) == 3


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"output": {"discard": True}}, id="nothing is pushed, so there is nowhere to keep it"),
        pytest.param({"cache": {"branch": {"import": "None", "export": "Never"}}}, id="neither read nor written"),
    ],
)
def test_there_may_be_no_cache(fields: dict[str, Any]) -> None:
    build = make.make_build({"source": GIT, "output": IMAGES, **fields})
    assert build.spec is not None
    assert cache(build, build.spec) == Part()


def test_a_repository_of_its_own_keeps_a_cache_even_where_nothing_is_pushed() -> None:
    found = cache_of({"output": {"discard": True}, "cache": {"branch": {"repository": "r.io/c"}}})
    assert found is not None
    assert found.repository == "r.io/c"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"source": {"git": {**GIT["git"], "url": "https://git.example.com/other.git"}}}, id="repository"),
        pytest.param({"source": {**GIT, "path": "api"}}, id="context directory"),
        pytest.param({"dockerfile": {"path": "other.Dockerfile"}}, id="Dockerfile"),
        pytest.param({"dockerfile": {"target": "test"}}, id="target"),
        pytest.param({"cache": {"branch": {"scope": "mine"}}}, id="scope"),
    ],
)
def test_builds_of_another_kind_never_share_a_ref(other: dict[str, Any]) -> None:
    assert scope_of({}) != scope_of(other)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"source": {"git": {**GIT["git"], "branch": "feature"}}}, id="branch"),
        pytest.param({"source": {"git": {**GIT["git"], "commit": "0" * 40}}}, id="commit"),
        pytest.param({"args": {"VERSION": "2"}}, id="arguments"),
        pytest.param({"output": {"images": ["r.io/b:2"]}}, id="image names"),
        pytest.param({"dockerfile": {"path": "Dockerfile"}}, id="a default that is written out"),
    ],
)
def test_builds_that_differ_in_this_only_share_a_scope(other: dict[str, Any]) -> None:
    assert scope_of({}) == scope_of(other)


def test_the_same_scope_joins_builds_of_different_dockerfiles() -> None:
    shared = {"cache": {"branch": {"scope": "mine"}}}
    assert scope_of(shared) == scope_of({"dockerfile": {"target": "test"}, **shared})


DIGESTS = [f"@sha256:{digit * 64}" for digit in "01"]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        pytest.param(
            *({"oci": {"image": f"r.io/src{digest}"}} for digest in DIGESTS), id="artifacts of one repository"
        ),
        pytest.param(
            {"oci": {"image": "r.io:5000/src:1"}}, {"oci": {"image": "r.io:5000/src:2"}}, id="tags of one repository"
        ),
        pytest.param(
            {"http": {"url": "https://h/a.tar?v=1"}}, {"http": {"url": "https://h/a.tar?v=2"}}, id="queries of one URL"
        ),
        pytest.param({"volume": {"claimName": "src"}}, {"volume": {"claimName": "src"}}, id="one claim"),
        pytest.param({"configMap": {"name": "src"}}, {"configMap": {"name": "src"}}, id="one ConfigMap"),
    ],
)
def test_states_of_one_source_share_a_scope_whatever_the_build_is_called(one: Any, two: Any) -> None:
    """Whoever gives each build a name of its own, as the command line does, has a cache all the same."""
    assert scope_of({"source": one}, "a") == scope_of({"source": two}, "b")


def test_sources_of_different_kinds_and_names_share_no_scope() -> None:
    kinds: list[dict[str, Any]] = [
        {"oci": {"image": "r.io/src:1"}},
        {"oci": {"image": "r.io/other:1"}},
        {"http": {"url": "https://h/a.tar"}},
        {"http": {"url": "https://h/b.tar"}},
        {"volume": {"claimName": "src"}},
        {"volume": {"claimName": "other"}},
        {"configMap": {"name": "src"}},
        {"configMap": {"name": "other"}},
    ]
    assert len({scope_of({"source": source}) for source in kinds}) == len(kinds)


def test_a_build_without_a_source_has_its_cache_for_itself_unless_it_names_a_scope() -> None:
    without: dict[str, Any] = {"source": {"path": "."}}
    assert scope_of(without, "one") != scope_of(without, "two")
    assert scope_of(without, "one") == scope_of(without, "one")
    shared = {**without, "cache": {"branch": {"scope": "mine"}}}
    assert scope_of(shared, "one") == scope_of(shared, "two")
