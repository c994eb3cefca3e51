"""`imagebuild policy explain` against the operator's own word, by somebody who may build in a namespace and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from e2e.command import as_a_ci_job
from e2e.story import Story
from imagebuild.contract import layout

pytestmark = pytest.mark.cluster

DISCARDED: dict[str, Any] = {"dockerfile": {"inline": "FROM busybox:1.37\nRUN true\n"}, "output": {"discard": True}}


@pytest.mark.parametrize("suffix", ["-builtin"])
def test_what_is_told_of_a_build_is_what_the_operator_does(story: Story, suffix: str, tmp_path: Path) -> None:
    imagebuild = as_a_ci_job(story, tmp_path)
    told = json.loads(imagebuild("policy", "explain", "-f", "-", "-o", "json", stdin=json.dumps(DISCARDED)).stdout)
    assert told["policy"] == f"*{suffix}"
    assert {"key": "frontends.allowed", "value": [], "from": [f"namespaces[*{suffix}].frontends.allowed"]} in told[
        "settings"
    ]
    story.apply(DISCARDED)
    status = story.succeeds()
    assert told["build"]["effective"] == status["effective"]
    made = story.kubectl.get("pod", status["podName"])["spec"]
    (container,), (planned,) = made["containers"], told["build"]["pod"]["spec"]["containers"]
    assert container["name"] == planned["name"] == layout.CONTAINER
    assert (container["image"], container["resources"]) == (planned["image"], planned["resources"])


def test_a_build_that_the_operator_refuses_is_refused_in_the_same_words(story: Story, tmp_path: Path) -> None:
    spec = {**DISCARDED, "pod": {"labels": {"nobody": "allows-this"}}}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    told = as_a_ci_job(story, tmp_path)("policy", "explain", "-f", str(tmp_path / "spec.json"), code=2).stdout
    story.apply(spec)
    assert story.fails("NotAllowed")["message"] in told


def test_who_may_not_read_the_configuration_is_told_what_is_missing(story: Story, tmp_path: Path) -> None:
    elsewhere = as_a_ci_job(story, tmp_path)("policy", "explain", "--operator-namespace=default", code=2).stderr
    assert "You may not read the operator's configuration in the namespace default." in elsewhere
