"""`spec.cache.volume`: which claim a build uses, and the claims that the operator keeps for templates."""

from __future__ import annotations

from typing import Any

import pytest

import make
from imagebuild.api import names
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.status import Phase
from imagebuild.contract.reasons import Reason
from imagebuild.core.cachevolume import claim, is_same, is_stale, kept_claim, not_kept, unused_claims
from imagebuild.core.policy import within
from unit.world import World, told

GIT: dict[str, Any] = {"url": "https://git.example.com/team/shop.git", "branch": "main"}
ALLOWED: dict[str, Any] = {"cacheVolumes": {"allowed": True}}
DAY = 24 * 3600.0


def build(name: str = "shop", *, git: dict[str, Any] | None = GIT, more: Any = (), **template: Any) -> ImageBuild:
    spec = {
        "output": {"discard": True},
        "cache": {"volume": {"template": {"size": "20Gi", **template}}},
        **({"source": {"git": git}} if git else {"dockerfile": {"inline": "FROM scratch"}}),
        **dict(more),
    }
    return make.make_build(spec, name=name)


def named(found: ImageBuild) -> str:
    used = claim(found)
    assert used is not None
    return used[1]


# --- who shares a claim


@pytest.mark.parametrize(
    ("other", "shares"),
    [
        pytest.param(build("shop-2"), True, id="another ImageBuild"),
        pytest.param(build(git={**GIT, "commit": "a" * 40}), True, id="another commit of the branch"),
        pytest.param(build(more={"args": {"A": "1"}}), True, id="other arguments"),
        pytest.param(build(git={**GIT, "branch": "topic"}), False, id="another branch"),
        pytest.param(build(git={"url": GIT["url"], "ref": "refs/pull/1/head"}), False, id="a pull request"),
        pytest.param(build(git={**GIT, "url": "https://git.example.com/b/shop.git"}), False, id="another repository"),
        pytest.param(build(more={"dockerfile": {"target": "test"}}), False, id="another target"),
        pytest.param(build(more={"dockerfile": {"path": "b/Dockerfile"}}), False, id="another Dockerfile"),
        pytest.param(build(size="30Gi"), False, id="another size"),
        pytest.param(build(storageClassName="fast"), False, id="another class"),
        pytest.param(build(key="main"), False, id="a key of its own"),
        pytest.param(build(git=None), False, id="no repository"),
    ],
)
def test_builds_of_the_same_repository_branch_dockerfile_target_and_template_share_a_claim(
    other: ImageBuild, shares: bool
) -> None:
    assert (named(build()) == named(other)) is shares


def test_pushed_directories_of_one_repository_share_a_claim_whatever_the_builds_are_called() -> None:
    one, two = (
        build(name, git=None, more={"source": {"oci": {"image": f"r.io/team/src@sha256:{name * 64}"}}}) for name in "ab"
    )
    assert named(one) == named(two)
    assert named(one).startswith("cache-src-")


def test_without_a_source_a_claim_is_of_one_imagebuild() -> None:
    assert named(build("a", git=None)) == named(build("a", git=None, more={"args": {"A": "1"}}))
    assert named(build("a", git=None)) != named(build("b", git=None))


def test_a_key_joins_builds_of_different_repositories() -> None:
    assert named(build(key="go")) == named(build("b", git=None, key="go"))


@pytest.mark.parametrize(
    ("found", "begins"),
    [
        pytest.param(build(), "cache-shop-main-", id="repository and branch"),
        pytest.param(build(git={**GIT, "branch": "Feature/ä_1"}), "cache-shop-feature-1-", id="odd characters"),
        pytest.param(build(git={**GIT, "branch": "x" * 250}), "cache-shop-xxxxxxx", id="a long branch"),
        pytest.param(build(git={**GIT, "branch": "a" * 41 + "-b"}), "cache-shop-aaaa", id="cut at a dash"),
        pytest.param(build(key="ü"), "cache-", id="nothing that a name may have"),
    ],
)
def test_the_name_of_a_claim_says_what_it_is_for(found: ImageBuild, begins: str) -> None:
    name = named(found)
    assert name.startswith(begins)
    assert len(name) <= 63
    assert name.replace("-", "a").isalnum()
    assert name.isascii()
    assert name == name.lower()


# --- the claim


def test_a_claim_is_nobodys_and_says_what_it_is_for_and_when_it_was_used() -> None:
    found = build(storageClassName="fast")
    assert found.spec is not None
    made = kept_claim(found, found.spec, make.at(0))
    assert made is not None
    hashed = named(found).rpartition("-")[2]
    assert made["metadata"] == {
        "name": named(found),
        "namespace": "team-a",
        "labels": {"app.kubernetes.io/managed-by": "imagebuild-operator", "imagebuild.dev/cache": hashed},
        "annotations": {
            "imagebuild.dev/cache-of": "shop main",
            "imagebuild.dev/last-used": make.timestamp(make.at(0)),
        },
    }
    assert made["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "20Gi"}},
    }
    assert is_same(made, made)
    assert not is_same({"metadata": {"name": named(found)}}, made)


def test_the_default_class_is_not_named() -> None:
    found = build()
    assert found.spec is not None
    assert "storageClassName" not in (kept_claim(found, found.spec, make.at(0)) or {})["spec"]


def test_a_claim_of_the_users_is_not_made() -> None:
    found = make.make_build({**make.SPEC, "cache": {"volume": {"claimName": "mine"}}})
    assert found.spec is not None
    assert (named(found), kept_claim(found, found.spec, make.at(0))) == ("mine", None)


# --- what the administrator allows


@pytest.mark.parametrize(
    ("rules", "template", "said"),
    [
        pytest.param({}, {}, "spec.cache.volume.template: the operator keeps no claims here", id="nothing is said"),
        pytest.param({"allowed": True}, {}, "", id="allowed"),
        pytest.param({"allowed": True, "maxSize": "20Gi"}, {}, "", id="as large as it may be"),
        pytest.param(
            {"allowed": True, "maxSize": "20Gi"},
            {"size": "20481Mi"},
            "spec.cache.volume.template.size: 20481Mi is more than the 20Gi of cacheVolumes.maxSize",
            id="too large",
        ),
        pytest.param(
            {"allowed": True},
            {"storageClassName": "fast"},
            "spec.cache.volume.template.storageClassName: fast is not allowed",
            id="a class that is not listed",
        ),
        pytest.param({"allowed": True, "storageClasses": ["fa*"]}, {"storageClassName": "fast"}, "", id="one that is"),
    ],
)
def test_what_the_administrator_does_not_allow_is_refused_by_field_and_setting(
    rules: dict[str, Any], template: dict[str, Any], said: str
) -> None:
    found, config = build(**template), make.make_config(cacheVolumes=rules)
    assert found.spec is not None
    refused = not_kept(found.spec, config)
    assert refused.startswith(said)
    assert bool(refused) is bool(said)


def test_a_claim_of_the_users_needs_nobodys_leave() -> None:
    found = make.make_build({**make.SPEC, "cache": {"volume": {"claimName": "mine"}}})
    assert found.spec is not None
    assert not_kept(found.spec, make.make_config()) == ""


def test_claims_are_kept_in_some_namespaces_alone() -> None:
    config = make.make_config(
        namespaces=[{"match": "team-a", "cacheVolumes": {"allowed": True, "maxSize": "30Gi"}}],
        cacheVolumes={"maxSize": "1Gi"},
    )
    found = build()
    assert found.spec is not None
    assert not_kept(found.spec, within(config, "team-a")) == ""
    assert "cacheVolumes.allowed" in not_kept(found.spec, within(config, "team-b"))


def test_a_template_that_is_not_allowed_ends_the_run_before_it_has_a_pod() -> None:
    world = World({**make.SPEC, "cache": {"volume": {"template": {"size": "1Gi"}}}})
    status = world.settle()
    assert told(status) == (Phase.FAILED, Reason.NOT_ALLOWED)
    assert world.created == []


def test_the_status_names_the_claim() -> None:
    world = World({**make.SPEC, "cache": {"volume": {"template": {"size": "1Gi"}}}}, **ALLOWED)
    status = world.settle()
    assert status.effective is not None
    assert (status.effective.cache_volume or "").startswith("cache-shop-main-")


# --- how long it stays


def kept(last_used: float | None, name: str = "a", **meta: Any) -> dict[str, Any]:
    noted = {names.ANNOTATION_LAST_USED: make.timestamp(make.at(last_used))} if last_used is not None else {}
    return {
        "metadata": {
            "namespace": "team-a",
            "name": name,
            "creationTimestamp": make.timestamp(make.at(0)),
            "labels": {names.LABEL_CACHE: "x"},
            "annotations": noted,
            **meta,
        }
    }


@pytest.mark.parametrize(
    ("found", "unused", "now", "gone"),
    [
        pytest.param(kept(0), "240h", 10.9, False, id="not for long enough"),
        pytest.param(kept(0), "240h", 11, True, id="for so long, and the part that the annotation may be behind"),
        pytest.param(kept(5 * DAY), "240h", 11, False, id="used since"),
        pytest.param(kept(0), None, 10_000, False, id="where unused ones stay"),
        pytest.param(kept(0, "used"), "240h", 99, False, id="a build that is not over uses it"),
        pytest.param(kept(0, labels={"a": "b"}), "240h", 99, False, id="not ours"),
        pytest.param(kept(0, labels=None), "240h", 99, False, id="without labels"),
        pytest.param(kept(0, deletionTimestamp="x"), "240h", 99, False, id="being deleted"),
        pytest.param(kept(None), "240h", 11, True, id="without the annotation, since it was made"),
        pytest.param(kept(None, annotations={names.ANNOTATION_LAST_USED: "?"}), "240h", 1, False, id="a spoilt one"),
    ],
)
def test_a_claim_that_nobody_uses_for_long_is_deleted(
    found: dict[str, Any], unused: str | None, now: float, gone: bool
) -> None:
    used = {("team-a", "used"), None}
    assert list(unused_claims([found], used, unused, make.at(now * DAY))) == ([found] if gone else [])


@pytest.mark.parametrize(
    ("unused", "after", "stale"),
    [("240h", 0.99, False), ("240h", 1, True), ("1h", 0.005, True), (None, 0.9, False), (None, 1, True)],
)
def test_the_time_of_the_last_use_is_written_at_most_every_tenth_of_the_time(
    unused: str | None, after: float, stale: bool
) -> None:
    assert is_stale(kept(0), unused, make.at(after * DAY)) is stale
