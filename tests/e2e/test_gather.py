"""`imagebuild gather` on the real cluster: an administrator's report, and that of somebody who may see little."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from e2e.command import Command, as_a_ci_job
from e2e.story import Story

pytestmark = pytest.mark.cluster

HIDDEN = "correct-horse-battery"
LEAKS = "FROM busybox:1.37\nARG WORD\nRUN echo it is $WORD; echo NPM_TOKEN=npm-$WORD; exit 3\n"


def unpacked(file: Path) -> dict[str, str]:
    with tarfile.open(file) as tar:
        read = {entry.name.partition("/")[2]: tar.extractfile(entry) for entry in tar}
        return {name: opened.read().decode() for name, opened in read.items() if opened}


def test_a_report_has_what_explains_a_build_and_no_secret(story: Story, tmp_path: Path) -> None:
    spec = {"dockerfile": {"inline": LEAKS}, "args": {"WORD": HIDDEN}, "output": {"discard": True}}
    story.apply(spec, name="shop")
    pod = story.fails("StepFailed", "shop")["podName"]
    assert HIDDEN in story.kubectl("get", "imagebuild", "shop", "-o", "yaml") + story.kubectl("logs", pod)

    file = tmp_path / "report.tar.gz"
    told = Command(story)("gather", "shop", "-f", str(file))
    found = unpacked(file)
    wanted = {"README.txt", "missing.txt", "builds/shop.yaml", f"pods/{pod}.yaml", f"pods/{pod}.log", "events.yaml"}
    assert wanted | {"cluster/version.yaml", "cluster/crd.yaml", "operator/deployment.yaml"} <= set(found)
    assert all(name in told.stdout for name in found)
    assert "Look at it before you send it" in told.stderr
    assert found["missing.txt"] == "Nothing.\n"
    assert not [name for name, text in found.items() if HIDDEN in text]
    assert "StepFailed" in found["builds/shop.yaml"]
    assert "it is REDACTED" in found[f"pods/{pod}.log"]
    assert [name for name in found if name.startswith("operator/") and name.endswith(".log")]
    assert "is there already" in Command(story)("gather", "shop", "-f", str(file), code=2).stderr

    little = tmp_path / "little.tar.gz"
    as_a_ci_job(story, tmp_path)("gather", "shop", "-f", str(little))
    found = unpacked(little)
    assert {"builds/shop.yaml", f"pods/{pod}.log"} <= set(found)
    assert f"/api/v1/namespaces/{story.namespace}/pods: forbidden" in found["missing.txt"]
    assert not [name for name in found if name.startswith("operator/")]
