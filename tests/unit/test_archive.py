"""Which builds are archived, where and with whose login; and what a status says of it."""

from __future__ import annotations

from typing import Any

import pytest

import make
from imagebuild.api import names
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.status import ArchiveStatus, Phase, Run
from imagebuild.contract import plan
from imagebuild.contract.reasons import Reason
from imagebuild.core.pod import pod, pod_hash
from imagebuild.core.policy import within
from imagebuild.core.run import inputs_hash
from unit.world import World, building, told

PLACE = "r.io:5000/logs/{namespace}"
ARCHIVE = "sha256:" + "a" * 64
IMAGE = f"r.io:5000/logs/team-a@{ARCHIVE}"
ASKED = {**make.SPEC, "archive": {"enabled": True}}


def made(build: ImageBuild, **config: Any) -> dict[str, Any]:
    assert build.spec
    run = Run(number=7, inputs_hash="0")
    return pod(build, build.spec, run, 2, within(make.make_config(**config), build.namespace))


def wanted(manifest: dict[str, Any]) -> plan.Archive | None:
    return plan.parse(manifest["metadata"]["annotations"][names.ANNOTATION_PLAN]).archive


@pytest.mark.parametrize(
    ("config", "enabled", "archived"),
    [
        pytest.param({}, True, False, id="no repository"),
        pytest.param({"archive": {"repository": PLACE}}, None, False, id="nobody asks"),
        pytest.param({"archive": {"repository": PLACE}}, False, False, id="the spec says no"),
        pytest.param({"archive": {"repository": PLACE}}, True, True, id="the spec asks"),
        pytest.param({"archive": {"repository": PLACE, "mode": "Always"}}, None, True, id="always"),
        pytest.param({"archive": {"repository": PLACE, "mode": "Always"}}, False, True, id="always, whatever it says"),
        pytest.param({"archive": {"repository": PLACE, "mode": "Never"}}, True, False, id="never"),
        pytest.param(
            {
                "archive": {"repository": PLACE, "mode": "Always"},
                "namespaces": [{"match": "team-*", "archive": {"mode": "Never"}}],
            },
            None,
            False,
            id="never in this namespace",
        ),
        pytest.param(
            {"namespaces": [{"match": "team-*", "archive": {"repository": PLACE}}]}, True, True, id="only in this one"
        ),
    ],
)
def test_the_administrator_says_whether_and_a_spec_yes_or_no(
    config: dict[str, Any], enabled: bool | None, archived: bool
) -> None:
    spec = make.SPEC if enabled is None else {**make.SPEC, "archive": {"enabled": enabled}}
    assert (wanted(made(make.make_build(spec), **config)) is not None) is archived


def test_the_secret_is_for_the_runner_and_the_pod_starts_without_it() -> None:
    manifest = made(make.make_build(ASKED), archive={"repository": PLACE, "secret": {"name": "build-logs"}})
    found = wanted(manifest)
    assert found is not None
    assert (found.repository, found.run, found.attempt) == ("r.io:5000/logs/team-a", 7, 2)
    assert found.secret == plan.RegistrySecret(name="build-logs", path="/run/imagebuild/archive", registry="r.io:5000")
    assert manifest["metadata"]["annotations"][names.ANNOTATION_ARCHIVE] == "r.io:5000/logs/team-a"
    (volume,) = (each for each in manifest["spec"]["volumes"] if each["name"] == "archive")
    assert volume["secret"] == {"secretName": "build-logs", "optional": True, "defaultMode": 0o444}
    whole = plan.parse(manifest["metadata"]["annotations"][names.ANNOTATION_PLAN])
    assert whole.registry_secrets == ()


@pytest.mark.parametrize(
    ("namespace", "name"), [("team-a", "shop"), ("n" * 63, "a." * 100 + "b")], ids=["short", "as long as can be"]
)
def test_a_tag_begins_alike_and_is_no_other_attempts(namespace: str, name: str) -> None:
    config = {"archive": {"repository": PLACE}}
    tags = [
        found.tag
        for uid in ("one", "two")
        if (found := wanted(made(make.make_build(ASKED, namespace=namespace, name=name, uid=uid), **config)))
    ]
    assert len(set(tags)) == 2
    for tag in tags:
        assert tag.startswith(f"log-{namespace}-{name}"[:60])
        assert tag[-11:-6] == "-7-2-"
        assert len(tag) <= 128


def test_asking_for_it_rebuilds_nothing_and_replaces_a_pod_that_waits() -> None:
    before, after = make.make_build(), make.make_build(ASKED)
    assert inputs_hash(before.inputs) == inputs_hash(after.inputs)
    config = {"archive": {"repository": PLACE}}
    assert pod_hash(made(before, **config)) != pod_hash(made(after, **config))


@pytest.mark.parametrize(
    "field",
    [
        pytest.param({"registrySecrets": [{"name": "build-logs"}]}, id="registrySecrets"),
        pytest.param({"secrets": [{"id": "a", "secretKeyRef": {"name": "build-logs", "key": "k"}}]}, id="secrets"),
    ],
)
def test_no_build_may_use_the_archives_secret(field: dict[str, Any]) -> None:
    world = World({**make.SPEC, **field}, archive={"repository": PLACE, "secret": {"name": "build-logs"}})
    status = world.settle()
    assert told(status) == (Phase.FAILED, Reason.NOT_ALLOWED)
    assert "build-logs is the Secret of the log archive" in (status.message or "")
    off = World({**make.SPEC, **field}, archive={"secret": {"name": "build-logs"}})
    assert told(off.settle()) == (Phase.PENDING, Reason.STARTING)


@pytest.mark.parametrize(
    ("config", "enabled", "said"),
    [
        pytest.param({}, True, "the administrator names no repository for this namespace (archive)", id="none"),
        pytest.param({"repository": PLACE, "mode": "Never"}, True, "the administrator says Never", id="never"),
        pytest.param({"repository": PLACE, "mode": "Always"}, False, "the administrator says Always", id="always"),
        pytest.param({"repository": PLACE}, True, "", id="as asked"),
        pytest.param({}, False, "", id="nobody would"),
    ],
)
def test_what_has_no_effect_is_a_warning(config: dict[str, Any], enabled: bool, said: str) -> None:
    warnings = World({**make.SPEC, "archive": {"enabled": enabled}}, archive=config).settle().warnings
    assert [said in each for each in warnings] == ([True] if said else [])


def archiving(**spec: Any) -> World:
    return building(World({**ASKED, **spec}, archive={"repository": PLACE}))


ENDS = [
    pytest.param(make.built(archive=ARCHIVE), Phase.SUCCEEDED, id="a success"),
    pytest.param(make.broken(Reason.STEP_FAILED, archive=ARCHIVE), Phase.FAILED, id="a failure"),
    pytest.param(make.broken(Reason.NODE_LOST, archive=ARCHIVE), Phase.PENDING, id="an attempt that is tried again"),
]


@pytest.mark.parametrize(("end", "phase"), ENDS)
def test_the_status_says_where_the_log_is(end: dict[str, Any], phase: Phase) -> None:
    world = archiving()
    world.becomes(end)
    status = world.settle(1)
    assert (status.phase, status.archive, status.warnings) == (phase, ArchiveStatus(image=IMAGE), ())


def test_a_log_that_was_not_archived_is_a_warning_and_the_build_has_succeeded() -> None:
    world = archiving()
    world.becomes(make.built(archive_error="the log was not archived in r.io: 403: ask"))
    status = world.settle(1)
    assert told(status) == (Phase.SUCCEEDED, Reason.BUILT)
    assert status.warnings == ("the log was not archived in r.io: 403: ask",)


@pytest.mark.parametrize(
    ("end", "said"),
    [
        pytest.param(make.ended(None, code=137), "the pod was ended before it could be", id="killed"),
        pytest.param(make.built(archive="https://evil.example.com"), "the pod was ended before", id="no digest"),
        pytest.param(make.broken(Reason.SECRET_MISSING), "", id="one that only found something missing"),
    ],
)
def test_of_what_a_pod_says_only_a_digest_counts(end: dict[str, Any], said: str) -> None:
    world = archiving(retryLimit=0)
    world.becomes(end)
    status = world.settle(1)
    assert [said in each for each in status.warnings] == ([True] if said else [])


def test_a_build_that_asks_for_none_says_nothing_of_it() -> None:
    world = building()
    world.becomes(make.built(archive=ARCHIVE))
    assert world.settle(1).archive is None


def test_the_next_run_remembers_where_the_log_of_the_last_one_is() -> None:
    world = archiving()
    world.becomes(make.built(archive=ARCHIVE))
    world.settle(1)
    world.now += 60
    world.ask_for_a_rebuild()
    building(world)
    assert world.status.archive is None
    assert [record.archive for record in world.status.history] == [IMAGE]
