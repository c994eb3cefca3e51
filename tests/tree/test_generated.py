"""What hack/generate makes is what is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from generator.files import GOLDEN, ROOT, files, outdated
from generator.golden import golden
from imagebuild.api.imagebuild import parse
from imagebuild.api.names import KIND
from imagebuild.contract import plan
from make import build_document

EXAMPLES = sorted((ROOT / "manifests" / "examples").glob("*.yaml"))


def test_generated_files_are_current() -> None:
    assert [str(path.relative_to(ROOT)) for path in outdated()] == [], "run hack/generate"


def test_every_generated_file_says_who_made_it() -> None:
    commentable = [path for path in files() if path.suffix != ".json"]
    assert [path for path in commentable if "hack/generate" not in path.read_text()[:150]] == []


def test_every_example_has_a_golden_pod() -> None:
    assert {f"example-{path.stem}" for path in EXAMPLES} <= {path.stem for path in GOLDEN.glob("*.yaml")}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_read_as_it_is_written_and_begins_with_what_it_shows(path: Path) -> None:
    assert path.read_text().startswith("# ")
    (written,) = (document for document in yaml.safe_load_all(path.read_text()) if document["kind"] == KIND)
    build = parse(build_document(written["spec"]))
    assert (build.problem, build.unknown_fields) == ("", ())


def test_no_golden_pod_holds_a_plan_that_the_runner_cannot_read() -> None:
    for name, (_, document) in golden(ROOT).items():
        assert plan.parse(json.dumps(document)) != plan.Plan(), name
