"""Builds that are not trusted: who says so, what they get, and what they ask for in vain."""

from __future__ import annotations

from typing import Any

import pytest

import make
from imagebuild.api import names
from imagebuild.api.config import OperatorConfig
from imagebuild.api.imagebuild import parse
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.status import Effective, Phase, Run
from imagebuild.api.trust import Trust
from imagebuild.contract import plan
from imagebuild.contract.reasons import Reason
from imagebuild.core.part import Manifest
from imagebuild.core.pod import pod
from imagebuild.core.policy import within
from imagebuild.core.report import effective
from imagebuild.core.trust import distrusted, lowered, trust
from unit.world import World, told

FORKS: dict[str, Any] = {"match": "forks-*", "trust": "Untrusted", "isolation": "Userns"}
USERNS: dict[str, Any] = {"isolation": "Userns"}
UNTRUSTED: dict[str, Any] = {**make.SPEC, "trust": "Untrusted"}


def spec(**fields: Any) -> ImageBuildSpec:
    return ImageBuildSpec.model_validate({**make.SPEC, **fields})


def config(namespace: str = "forks-a", **given: Any) -> OperatorConfig:
    return within(make.make_config(**given), namespace)


def refusal(namespace: str = "forks-a", written: dict[str, Any] | None = None, **given: Any) -> str:
    return distrusted(spec(**(written or {})), config(namespace, **given), namespace)


def manifest(written: dict[str, Any], **given: Any) -> Manifest:
    build = make.make_build(written, namespace="forks-a")
    assert build.spec is not None
    return pod(build, build.spec, Run(number=1, inputs_hash="0123"), 1, config(**given))


def planned(made: Manifest) -> plan.Plan:
    return plan.parse(made["metadata"]["annotations"][names.ANNOTATION_PLAN])


def shown(written: dict[str, Any], **given: Any) -> Effective:
    build = make.make_build(written, namespace="forks-a")
    assert build.spec is not None
    return effective(build, build.spec, config(**given))


# --- who says so


@pytest.mark.parametrize(
    ("written", "given", "wanted"),
    [
        pytest.param({}, {}, "Trusted", id="nobody says anything"),
        pytest.param({}, {"namespaces": [FORKS]}, "Untrusted", id="the administrator, of the namespace"),
        pytest.param({}, {"trust": "Untrusted"}, "Untrusted", id="the administrator, of all"),
        pytest.param(
            {},
            {"trust": "Untrusted", "namespaces": [{**FORKS, "trust": "Trusted"}]},
            "Trusted",
            id="of all but this one",
        ),
        pytest.param({"trust": "Untrusted"}, {}, "Untrusted", id="the spec lowers it"),
    ],
)
def test_a_build_is_trusted_unless_the_administrator_or_the_spec_says_otherwise(
    written: dict[str, Any], given: dict[str, Any], wanted: str
) -> None:
    assert trust(spec(**written), config(**given)) == wanted
    assert shown({**make.SPEC, **written}, **given).trust == wanted


def test_no_spec_raises_it() -> None:
    build = parse(make.build_document({**make.SPEC, "trust": "Trusted"}))
    assert build.spec is None
    assert "trust" in build.problem


def test_another_trust_rebuilds_nothing() -> None:
    world = World(UNTRUSTED, **USERNS)
    world.settle()
    world.becomes(make.built())
    world.settle(5)
    world.edit(trust=None)
    status = world.settle(5)
    assert status.run is not None
    assert (status.run.number, len(world.created)) == (1, 1)


def test_a_status_of_an_operator_that_knew_no_trust_is_read() -> None:
    assert Effective.model_validate({"isolation": "Rootless", "builder": "b", "timeout": "1h"}).trust is None


# --- what it gets


def test_the_pod_has_a_label_that_nobody_else_gives_or_takes() -> None:
    made = manifest(UNTRUSTED, **USERNS)
    assert made["metadata"]["labels"]["imagebuild.dev/trust"] == "untrusted"
    assert names.is_ours(names.LABEL_TRUST)
    assert names.LABEL_TRUST not in manifest(make.SPEC, **USERNS)["metadata"]["labels"]


@pytest.mark.parametrize("value", ["untrusted", "trusted", ""])
def test_the_label_is_not_for_the_spec_to_set(value: str) -> None:
    written = {**make.SPEC, "pod": {"labels": {names.LABEL_TRUST: value}}}
    world = World(written, pod={"allow": {"labels": ["*"]}})
    assert told(world.settle()) == (Phase.FAILED, Reason.NOT_ALLOWED)
    assert world.created == []


@pytest.mark.parametrize("frontends", [{}, {"frontends": {"allowed": ["docker/dockerfile"]}}], ids=["any", "some"])
def test_buildkits_own_frontend_reads_it_whatever_the_administrator_allows_others(frontends: dict[str, Any]) -> None:
    assert planned(manifest(UNTRUSTED, **USERNS, **frontends)).frontends == ()
    assert planned(manifest(make.SPEC, **USERNS, **frontends)).frontends != ()


def test_it_reads_the_branch_cache_and_writes_none() -> None:
    cache = planned(manifest(UNTRUSTED, **USERNS)).cache
    assert cache is not None
    assert (cache.imports, cache.export) == (plan.CacheImport.CURRENT_ELSE_BASE, plan.CacheExport.NEVER)
    assert shown(UNTRUSTED).cache_export is plan.CacheExport.NEVER
    assert shown(make.SPEC).cache_export is plan.CacheExport.ALWAYS


def test_a_cache_that_there_would_not_be_is_not_turned_on_by_that() -> None:
    only = {"import": [{"registry": {"ref": "r.io/a:cache"}}]}
    assert planned(manifest({**UNTRUSTED, "cache": only}, **USERNS)).cache is None


def test_it_runs_in_the_class_that_the_administrator_sets_and_others_do_not() -> None:
    class_of_all = {**USERNS, "untrusted": {"runtimeClassName": "kata"}}
    assert manifest(UNTRUSTED, **class_of_all)["spec"]["runtimeClassName"] == "kata"
    assert "runtimeClassName" not in manifest(make.SPEC, **class_of_all)["spec"]
    own = {"namespaces": [{**FORKS, "untrusted": {"runtimeClassName": "gvisor"}}]}
    assert manifest(make.SPEC, **class_of_all, **own)["spec"]["runtimeClassName"] == "gvisor"
    assert manifest(make.SPEC, **class_of_all, namespaces=[FORKS])["spec"]["runtimeClassName"] == "kata"


def test_it_keeps_the_credentials_that_are_for_the_runner_alone() -> None:
    git = {"git": {"url": "https://git.example.com/shop.git", "secretRef": {"name": "git"}}}
    made = manifest({**UNTRUSTED, "source": git, "registrySecrets": [{"name": "push"}]}, **USERNS)
    assert {each["secret"]["secretName"] for each in made["spec"]["volumes"] if "secret" in each} == {"git", "push"}
    assert refusal(written={"trust": "Untrusted", "source": git, "registrySecrets": [{"name": "push"}]}, **USERNS) == ""


def test_what_is_in_force_for_it_is_in_force_in_itself() -> None:
    once = lowered(spec(trust="Untrusted"), config(**USERNS))
    assert once[1].trust is Trust.UNTRUSTED
    assert lowered(*once) == once


def test_a_pod_that_waits_is_replaced_when_it_is_not_trusted_any_more() -> None:
    """Also where nothing but its label tells the two apart."""
    quiet = {**make.SPEC, "cache": {"branch": {"export": "Never"}}}
    world = World(quiet, **USERNS, frontends={"allowed": []})
    world.settle()
    world.becomes(make.unschedulable("no node"))
    world.edit(trust="Untrusted")
    world.settle(5)
    (made,) = world.pods.values()
    assert made["metadata"]["labels"][names.LABEL_TRUST] == names.UNTRUSTED


# --- what it does not get


@pytest.mark.parametrize("mode", ["UsernsMasked", "Rootless"])
def test_in_another_mode_it_is_refused_with_the_setting_that_has_to_change(mode: str) -> None:
    needs = f"needs Userns, and {mode} is in force here: the administrator sets"
    policy = {"match": "forks-*", "trust": "Untrusted"}
    assert refusal(namespaces=[{**policy, "isolation": mode}]) == (
        f"isolation: a build that is Untrusted (namespaces[forks-*].trust) {needs} namespaces[forks-*].isolation to Userns"
    )
    assert refusal(trust="Untrusted", isolation=mode) == (
        f"isolation: a build that is Untrusted (trust) {needs} isolation to Userns, "
        "for all namespaces or by {match: forks-a, isolation: Userns} in namespaces"
    )
    assert refusal(written={"trust": "Untrusted"}, namespaces=[{"match": "forks-*"}], isolation=mode) == (
        f"isolation: a build that is Untrusted (spec.trust) {needs} namespaces[forks-*].isolation to Userns"
    )


def test_without_a_seccomp_profile_it_is_refused_too() -> None:
    needs = "a build that is Untrusted (spec.trust) needs a seccomp profile: the administrator takes that out"
    assert f"seccompUnconfined: {needs}" in refusal(written={"trust": "Untrusted"}, **USERNS, seccompUnconfined=True)


S3 = {"bucket": "b", "region": "eu-central-1"}
ASKED: dict[str, tuple[dict[str, Any], str]] = {
    "another frontend": (
        {"dockerfile": {"frontend": "docker/dockerfile:1"}},
        "spec.dockerfile.frontend: … is read by BuildKit's own frontend",
    ),
    "secrets": ({"secrets": [{"id": "a", "secretKeyRef": {"name": "a", "key": "a"}}]}, "spec.secrets: … gets none"),
    "a claim": (
        {"source": {"volume": {"claimName": "cache"}}},
        "spec.source.volume: … reads no claim, which may be the cache of another",
    ),
    "SSH keys": ({"ssh": [{"id": "a", "secretRef": {"name": "a"}}]}, "spec.ssh: … gets none"),
    "a service account": (
        {"pod": {"serviceAccountName": "builder"}},
        "spec.pod.serviceAccountName: … has no identity",
    ),
    "another class": (
        {"pod": {"runtimeClassName": "runc"}},
        "spec.pod.runtimeClassName: … runs in kata (untrusted.runtimeClassName)",
    ),
    "to write the branch cache": (
        {"cache": {"branch": {"export": "Always"}}},
        "spec.cache.branch.export: … writes no cache",
    ),
    "to write the base's cache": (
        {"cache": {"branch": {"export": "BaseOnly"}}},
        "spec.cache.branch.export: … writes no cache",
    ),
    "to write a cache to a registry": (
        {"cache": {"export": [{"registry": {"ref": "r.io/a:cache"}}]}},
        "spec.cache.export: … writes no cache",
    ),
    "to write a cache to a bucket": ({"cache": {"export": [{"s3": S3}]}}, "spec.cache.export: … writes no cache"),
    "to write a cache to a claim": (
        {"cache": {"export": [{"local": {"claimName": "c"}}]}},
        "spec.cache.export: … writes no cache",
    ),
    "to write a cache into the image": (
        {"cache": {"export": [{"inline": {}}]}},
        "spec.cache.export: … writes no cache",
    ),
    "a claim for BuildKit's state": (
        {"cache": {"volume": {"claimName": "c"}}},
        "spec.cache.volume: … gets no volume for a cache",
    ),
    "a kept claim": (
        {"cache": {"volume": {"template": {"size": "1Gi"}}}},
        "spec.cache.volume: … gets no volume for a cache",
    ),
    "a cache from a claim": (
        {"cache": {"import": [{"local": {"claimName": "c"}}]}},
        "spec.cache.import.local: … gets no volume for a cache",
    ),
}
EVERYTHING_ALLOWED: dict[str, Any] = {
    "pod": {"allow": {"serviceAccounts": ["*"], "runtimeClasses": ["*"]}},
    "cacheVolumes": {"allowed": True},
    "untrusted": {"runtimeClassName": "kata"},
}


@pytest.mark.parametrize("asked", ASKED)
def test_what_it_asks_for_is_refused_by_field_setting_and_next_step(asked: str) -> None:
    written, said = ASKED[asked]
    said = said.replace("…", "a build that is Untrusted ({})") + ": leave it out, or build "
    assert refusal(written=written, namespaces=[FORKS], **EVERYTHING_ALLOWED) == (
        said.format("namespaces[forks-*].trust") + "in another namespace what the administrator trusts"
    )
    own = {**written, "trust": "Untrusted"}
    assert refusal(written=own, **USERNS, **EVERYTHING_ALLOWED) == (
        said.format("spec.trust") + "without spec.trust what you trust"
    )
    assert refusal(written=written, **USERNS, **EVERYTHING_ALLOWED) == "", "of a build that is trusted it is not"


@pytest.mark.parametrize("asked", ASKED)
def test_it_ends_the_run_before_there_is_a_pod(asked: str) -> None:
    world = World({**UNTRUSTED, **ASKED[asked][0]}, **USERNS, **EVERYTHING_ALLOWED)
    status = world.settle()
    assert told(status) == (Phase.FAILED, Reason.NOT_ALLOWED)
    assert "(spec.trust)" in (status.message or "")
    assert world.created == []


@pytest.mark.parametrize(
    "written",
    [
        pytest.param({"cache": {"branch": {"export": "Never"}}}, id="to write no cache, in so many words"),
        pytest.param({"cache": {"import": [{"registry": {"ref": "r.io/a:1"}}, {"s3": S3}]}}, id="to read caches"),
        pytest.param({"cache": {"noCache": True}}, id="no cache at all"),
        pytest.param({"pod": {"runtimeClassName": "kata"}}, id="the class that it has"),
        pytest.param({"dockerfile": {"inline": "# syntax=docker/dockerfile:1\nFROM a"}}, id="a line that says nothing"),
        pytest.param({"contexts": [{"name": "docker/dockerfile:1", "image": "r.io/a:1"}]}, id="a context of any name"),
    ],
)
def test_what_takes_nothing_from_anybody_it_may_ask_for(written: dict[str, Any]) -> None:
    allowed = {**EVERYTHING_ALLOWED, "frontends": {"allowed": ["docker/dockerfile"]}}
    world = World({**UNTRUSTED, **written}, **USERNS, **allowed)
    assert told(world.settle())[0] is Phase.PENDING
    assert len(world.created) == 1
