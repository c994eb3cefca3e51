"""An operator that is newer than the CRD: it says so, does nothing, and begins when the CRD has been applied.

The CRD may also become an older one while it works.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from controller.objects import BUILDS
from controller.protocol import DISCOVERY, OPENAPI
from controller.stage import QUICK, RELISTING, SWEEPING, UNHURRIED, Stage
from imagebuild.api.crd import crd
from imagebuild.controller.served import sentence

SCHEMA: dict[str, Any] = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
OLDER = "the CRD is older than this operator and lacks "


def without(*paths: str) -> dict[str, Any]:
    """A CRD of before these fields; `[]` leads into a list."""
    schema = copy.deepcopy(SCHEMA)
    for path in paths:
        node = schema
        *above, last = path.split(".")
        for name in above:
            node = node["properties"][name.removesuffix("[]")]
            node = node["items"] if name.endswith("[]") else node
        del node["properties"][last]
    return schema


@pytest.mark.parametrize(
    ("served", "told"),
    [
        pytest.param(SCHEMA, "", id="the same"),
        pytest.param(None, "the API server has no ImageBuild: ", id="none"),
        pytest.param(without("spec.trust"), OLDER + "spec.trust: ", id="a field of the spec"),
        pytest.param(without("status.effective"), OLDER + "status.effective: ", id="a branch is named by its first field"),
        pytest.param(without("spec.contexts[].git.url"), OLDER + "spec.contexts[].git.url: ", id="within a list"),
        pytest.param(
            without(*(f"status.{name}" for name in ("attempt", "cache", "duration", "effective", "failure", "failures", "run"))),
            "and 2 more: ",
            id="many",
        ),
    ],
)  # fmt: skip
def test_what_is_missing_is_named_with_what_to_do(served: dict[str, Any] | None, told: str) -> None:
    said = sentence(served)
    assert told in said
    assert ("apply crds/" in said) == bool(told)


def test_fields_that_only_a_newer_crd_has_are_no_problem() -> None:
    newer = copy.deepcopy(SCHEMA)
    newer["properties"]["spec"]["properties"]["later"] = {"type": "string"}
    assert sentence(newer) == ""


def serve(stage: Stage, schema: dict[str, Any]) -> None:
    stage.api.discovery[OPENAPI] = {"components": {"schemas": {"dev.imagebuild.v1alpha1.ImageBuild": schema}}}


async def test_it_waits_for_the_crd_while_the_version_before_goes_on(stage: Stage) -> None:
    before = await stage.operator(election=UNHURRIED)
    serve(stage, without("spec.trust"))
    new = stage.starting(QUICK, UNHURRIED)
    await new.says("readyz", "503 the CRD is older than this operator and lacks spec.trust")
    await new.says("livez", "200 ok")
    stage.apply()
    await stage.succeeds()
    before.stop()
    await before.ended()
    assert stage.leader() == ""
    stage.api.discovery[OPENAPI] = DISCOVERY[OPENAPI]
    await stage.led_by(new)


async def test_it_ends_when_it_is_told_to_while_it_waits(stage: Stage) -> None:
    del stage.api.discovery[OPENAPI]
    waiting = stage.starting(QUICK, None)
    await waiting.says("readyz", "503 the API server has no ImageBuild")
    waiting.stop()
    assert await waiting.ended() == 0
    assert stage.api.requests == []


async def test_it_ends_when_an_older_crd_has_broken_its_watch(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    working = await stage.operator(RELISTING)
    stage.apply()
    await stage.succeeds()
    serve(stage, without("spec.trust"))
    stage.api.break_watch(BUILDS, 410)
    assert await working.ended() == 1
    assert OLDER + "spec.trust: apply crds/" in caplog.text


async def test_it_ends_when_a_sweep_finds_an_older_crd_and_no_standby_takes_its_place(stage: Stage) -> None:
    first, standby = await stage.operator(SWEEPING, UNHURRIED), await stage.standby(UNHURRIED)
    serve(stage, without("spec.trust"))
    assert await first.ended() == 1
    assert await standby.ended() == 1


async def test_while_nobody_can_tell_what_the_crd_has_it_goes_on(stage: Stage) -> None:
    await stage.operator(SWEEPING)
    del stage.api.discovery[OPENAPI]
    stage.apply()
    await stage.succeeds()
