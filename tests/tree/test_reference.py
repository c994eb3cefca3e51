"""docs/reference.md has every field, and what it says of rebuilding is what happens."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import yaml

from documents import ROOT
from generator.reference import reference
from imagebuild.api.imagebuild import parse
from imagebuild.api.names import KIND
from imagebuild.core.run import inputs_hash
from make import Document, build_document

ROWS = [
    [cell.strip("` ") for cell in line[1:-1].split(" | ")]
    for line in reference().splitlines()
    if line.startswith("| `")
]
REBUILDS = {row[0]: row[2] == "yes" for row in ROWS if row[2:3] in (["yes"], ["no"])}
MEANING = 3
"""The column of the reasons' table, which has another one after it; in all others it is the last."""


def examples() -> Iterator[tuple[str, Document]]:
    for path in sorted((ROOT / "manifests" / "examples").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            if document["kind"] == KIND:
                yield path.stem, document["spec"]


def fields(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any], str]]:
    """Every field that is given, with its row's name, and where to take it from."""
    if isinstance(node, dict):
        for key, value in node.items():
            here = f"{path}.{key}" if path else key
            if here in REBUILDS:  # else a key of a map
                yield here, node, key
                yield from fields(value, here)
    elif isinstance(node, list):
        for entry in node:
            yield from fields(entry, f"{path}[]")


def test_a_field_starts_a_new_run_where_the_reference_says_so_and_nowhere_else() -> None:
    wrong, seen = set(), set()
    for example, spec in examples():
        before = inputs_hash(parse(build_document(spec)).inputs)
        for position, (path, _, _) in enumerate(fields(spec)):
            changed = copy.deepcopy(spec)
            _, holder, key = list(fields(changed))[position]
            del holder[key]
            seen.add(path)
            if (inputs_hash(parse(build_document(changed)).inputs) != before) != REBUILDS[path]:
                wrong.add((example, path))
    assert wrong == set()
    assert len([path for path in seen if REBUILDS[path]]) > 40
    assert len([path for path in seen if not REBUILDS[path]]) > 40


def test_every_row_of_the_reference_has_a_meaning() -> None:
    assert len(ROWS) > 300
    assert [row[0] for row in ROWS if not row[MEANING if len(row) > MEANING + 1 else -1]] == []


def test_what_must_be_given_is_marked() -> None:
    marked = {row[0] for row in ROWS if row[0] in REBUILDS and row[1].endswith("**must**")}
    assert {"output", "source.git.url", "contexts[].name", "secrets[].secretKeyRef.key"} <= marked
    assert marked & {"source", "source.git", "source.git.branch", "output.images"} == set()
