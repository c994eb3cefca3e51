"""`output.ifExists`: what the registry has already decides whether there is anything to build."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import pytest

from imagebuild.contract.plan import INPUTS_ANNOTATION, BranchCache, Dockerfile, IfExists, Output, Plan, Registry
from imagebuild.contract.reasons import Reason
from runner.pod import Pod

INPUTS = "0123abcd"
OURS = hashlib.sha256(f"{INPUTS}\0\0{os.uname().machine}".encode()).hexdigest()
MANIFEST = json.dumps({"layers": ["a"], "annotations": {INPUTS_ANNOTATION: OURS}})
DIGEST = f"sha256:{hashlib.sha256(MANIFEST.encode()).hexdigest()}"
"""What the registry's fixture has under made-from-OURS with a tag that begins with a."""


def plan(registry: str, policy: IfExists, *images: str, **more: Any) -> Plan:
    output = Output(images=tuple(f"{registry}/{image}" for image in images), if_exists=policy, inputs=INPUTS)
    settings = (Registry(host=registry, http=True),)
    return Plan(**{"dockerfile": Dockerfile(inline="FROM scratch\n"), "registries": settings, "output": output, **more})


def test_images_that_are_there_from_the_same_inputs_are_not_built_again(pod: Pod, registry: str) -> None:
    asked = plan(registry, IfExists.REUSE, f"made-from-{OURS}/app:a1", f"made-from-{OURS}/app:a2")
    found, log, code = pod.run(asked)
    assert (found.essentials.reason, found.essentials.digest, code) == (Reason.ALREADY_BUILT, DIGEST, 0), log
    assert found.details.images == asked.output.images
    assert not pod.seen("buildctl")


def test_a_daemon_that_is_slow_does_not_hold_up_what_needs_none(pod: Pod, registry: str) -> None:
    pod.behave(daemon_silent=True)
    found, _, _ = pod.run(plan(registry, IfExists.REUSE, f"made-from-{OURS}/app:a1"))
    assert found.essentials.reason is Reason.ALREADY_BUILT


@pytest.mark.parametrize(
    ("images", "said"),
    [
        pytest.param(["made-from-other/app:a1"], "other inputs", id="one of other inputs"),
        pytest.param(["found/app:a1"], "Error", id="an answer that is no manifest"),
        pytest.param([f"made-from-{OURS}/app:a1", "404/app:a1"], "NotFound", id="one of two that is missing"),
        pytest.param([f"made-from-{OURS}/app:a1", f"made-from-{OURS}/app:b1"], "", id="two that are not the same"),
        pytest.param(["403/app:a1"], "Unauthorized", id="one that we may not see"),
        pytest.param(["500/app:a1"], "Error", id="a fault of the registry"),
    ],
)
def test_whatever_is_not_clear_is_built(pod: Pod, registry: str, images: list[str], said: str) -> None:
    found, log, code = pod.run(plan(registry, IfExists.REUSE, *images))
    assert (found.essentials.reason, code) == (Reason.BUILT, 0), log
    assert said in log
    (call,) = pod.seen("buildctl")
    (output,) = (word for word in call["argv"] if word.startswith("type=image"))
    assert output.endswith(f",annotation.{INPUTS_ANNOTATION}={OURS}"), "so that the next build finds it"


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        pytest.param(["404/app:1", "404/app:2"], Reason.BUILT, id="none is there"),
        pytest.param(["404/app:1", "made-from-other/app:1"], Reason.IMAGE_EXISTS, id="one of two is there"),
        pytest.param(["500/app:1", "made-from-other/app:1"], Reason.IMAGE_EXISTS, id="one is there, one not seen"),
        pytest.param(["made-from-other/app"], Reason.IMAGE_EXISTS, id="one without a tag is there"),
        pytest.param(["403/app:1"], Reason.REGISTRY_UNAUTHORIZED, id="one that we may not see"),
        pytest.param(["500/app:1"], Reason.REGISTRY_UNAVAILABLE, id="a fault of the registry"),
    ],
)
def test_nothing_is_overwritten_where_that_is_not_wanted(
    pod: Pod, registry: str, images: list[str], reason: Reason
) -> None:
    found, log, _ = pod.run(plan(registry, IfExists.FAIL, *images))
    assert found.essentials.reason is reason, log
    assert bool(pod.seen("buildctl")) == (reason is Reason.BUILT)
    if reason is not Reason.BUILT:
        assert f"{registry}/{images[-1]}" in found.essentials.message


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        pytest.param([f"made-from-{OURS}/app:a1"], Reason.ALREADY_BUILT, id="it had pushed all: nothing is left to do"),
        pytest.param([f"made-from-{OURS}/app:a1", "404/app:1"], Reason.BUILT, id="it had pushed one of two"),
        pytest.param(
            [f"made-from-{OURS}/app:a1", "made-from-other/app:1"], Reason.IMAGE_EXISTS, id="one is a stranger's"
        ),
    ],
)
def test_what_an_earlier_attempt_of_the_same_run_has_pushed_is_in_nobodys_way(
    pod: Pod, registry: str, images: list[str], reason: Reason
) -> None:
    output = Output(
        images=tuple(f"{registry}/{image}" for image in images), if_exists=IfExists.FAIL, inputs=INPUTS, retried=True
    )
    found, log, _ = pod.run(plan(registry, IfExists.FAIL, output=output))
    assert found.essentials.reason is reason, log


def test_what_is_there_is_overwritten_without_a_look_by_default(pod: Pod, registry: str) -> None:
    found, log, _ = pod.run(plan(registry, IfExists.OVERWRITE, f"made-from-{OURS}/app:a1"))
    assert found.essentials.reason is Reason.BUILT
    assert "image " not in log
    (call,) = pod.seen("buildctl")
    assert not any(INPUTS_ANNOTATION in word for word in call["argv"])


def test_two_cache_refs_that_nobody_answers_for_cost_the_time_of_one(pod: Pod, registry: str) -> None:
    cache = BranchCache(repository=f"{registry}/hanging", scope="s", base="main")
    found, _, code = pod.run(plan(registry, IfExists.OVERWRITE, "404/app:1", cache=cache))
    assert ([entry.found for entry in found.details.imports], code) == (["Timeout", "Timeout"], 0)
    assert found.details.timings.fetch < 9
