"""The documents say what is so: their links lead somewhere, and what they name exists. Code blocks: see documents.py."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from documents import (
    GENERATED,
    HACK,
    NOT_OURS,
    PAGES,
    ROOT,
    Block,
    anchors,
    blocks,
    links,
    objects,
    prose,
    shell,
    title,
    unknown_keys,
)
from generator.reference import reference
from imagebuild.api import names
from imagebuild.api.config import OperatorConfig
from imagebuild.api.crd import crd
from imagebuild.cli.__main__ import main_group
from imagebuild.contract.reasons import Reason
from imagebuild.controller import metrics

VERSION = crd()["spec"]["versions"][0]
BLOCKS = [block for page in PAGES for block in blocks(page)]
CONFIGURATIONS = [block for block in BLOCKS if block.is_configuration]
BUILDER = {"builder": {"image": "registry.example.com/imagebuild/builder:1"}}
FIELDS = {line.split("`")[1].replace("[]", "") for line in reference().splitlines() if line.startswith("| `")}
SOURCES = [
    ROOT,
    ROOT / "operator" / "imagebuild",
    ROOT / "hack",
    ROOT / "tests" / "controller",
    ROOT / "tests" / "disruptive",
]
DOTTED = re.compile(r"(([a-z][A-Za-z]*)(?:\[\])?(?:\.[a-z][A-Za-z]*(?:\[\])?)+)(?:: .*)?")
CALL = re.compile(r"^(?:\$ )?(?:image=\$\()?imagebuild ([^)\n]*)", re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
THEIRS = re.compile(r"^\| .*? \|", re.MULTILINE)
"""The first column of the tables in docs/migration.md."""


def words() -> Iterator[tuple[str, str]]:
    """Every `word` that a person has written into the text, and on which page."""
    for page in PAGES:
        if page != GENERATED:
            text = THEIRS.sub("", prose(page)) if page.name == "migration.md" else prose(page)
            yield from ((title(page), word) for word in CODE.findall(text))


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    lost = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            lost.append(target)
    assert lost == []


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_block_is_applied_or_run_or_there_is_a_reason_why_not(block: Block) -> None:
    assert block.info in {"yaml", "sh", *NOT_OURS}, "name the language: documents.py has them"
    if block.info == "yaml" and not block.is_objects and not block.is_kustomization:
        assert unknown_keys(block) == set(), "neither fields of spec nor keys of the operator's configuration"


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_the_operator_reads_every_configuration(block: Block) -> None:
    for document in block.documents:
        OperatorConfig.model_validate({**BUILDER, **document})


def test_there_are_blocks_of_each_kind() -> None:
    """None of the tests here and in tests/e2e/test_documents.py is about nothing."""
    assert len(CONFIGURATIONS) > 3
    assert len([block for block in BLOCKS if objects(block)]) > 25
    assert len([page for page in PAGES if shell(page)]) > 4
    assert {block.info for block in BLOCKS} == {"yaml", "sh", *NOT_OURS}
    assert any("imagebuild.dev/" in block.text for block in BLOCKS if block.info == "yaml gitlab")


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.is_kustomization], ids=str)
def test_every_kustomization_names_directories_that_are_there(block: Block) -> None:
    (document,) = block.documents
    named = [*document.get("resources", ()), *document.get("components", ())]
    assert named
    assert [path for path in named if not (ROOT / path.removeprefix("../imagebuild/")).is_dir()] == []


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.info.startswith("sh")], ids=str)
def test_every_command_is_one_that_bash_reads_and_names_files_that_are_there(block: Block) -> None:
    subprocess.run(["bash", "-n"], input=block.text, text=True, check=True, timeout=10)
    for line in block.text.splitlines():
        if HACK.fullmatch(line):
            assert (ROOT / line.split()[0]).is_file(), line
    assert [path for path in re.findall(r"-f (operator/\S+)", block.text) if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.info == "yaml gitlab"], ids=str)
def test_every_script_of_a_gitlab_job_is_one_that_bash_reads(block: Block) -> None:
    (jobs,) = block.documents
    for job in (each for name, each in jobs.items() if name != "include"):
        text = "\n".join([*job.get("before_script", ()), *job["script"]])
        subprocess.run(["bash", "-n"], input=text, text=True, check=True, timeout=10)


@pytest.mark.parametrize("line", [line for block in BLOCKS for line in CALL.findall(block.text)])
def test_the_command_line_knows_every_command_and_flag(line: str) -> None:
    command, *words = shlex.split(line, comments=True)
    known = main_group.get_command(click.Context(main_group), command)
    if isinstance(known, click.Group):
        known = known.get_command(click.Context(known), words.pop(0))
    assert known is not None
    known.make_parser(click.Context(known)).parse_args(words)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.text.startswith("$ kubectl get")], ids=str)
def test_what_kubectl_prints_has_the_columns_of_the_crd(block: Block) -> None:
    typed, head, *_ = block.text.splitlines()
    assert shlex.split(typed) == ["$", "kubectl", "get", "ib"]
    columns = [column["name"].upper() for column in VERSION["additionalPrinterColumns"] if not column.get("priority")]
    assert head.split() == ["NAME", *columns]


def test_every_metric_that_is_named_is_one_of_the_operators() -> None:
    kept = Path(metrics.__file__).read_text()
    used = {found for page in PAGES for found in re.findall(r"\bimagebuild_[a-z_]+", page.read_text())}
    assert used
    assert {found for found in used if re.sub(r"^imagebuild_|_(bucket|total|info)$", "", found) not in kept} == set()


def test_every_label_and_annotation_that_is_named_is_there() -> None:
    known = {value for value in vars(names).values() if isinstance(value, str)}
    used = {found for page in PAGES for found in re.findall(r"\bimagebuild\.dev/[a-z0-9-]+", page.read_text())}
    assert used - known - {f"{names.GROUP}/{names.VERSION}"} == set()


def test_every_file_that_is_named_is_there() -> None:
    file = re.compile(r"(?:hack|tests|manifests|docs|operator|crds)/[\w./-]+|(?:[a-z_]+/)*[a-z_]+\.py")
    named = {(page, word) for page, word in words() if file.fullmatch(word)}
    assert len(named) > 20
    assert {(page, word) for page, word in named if not any((root / word).exists() for root in SOURCES)} == set()


def test_every_reason_that_is_named_is_one() -> None:
    """As far as reasons are told by how they end."""
    reason = re.compile(
        r"[A-Z][a-z]+\w*(?:Missing|Invalid|TimedOut|Failed|Lost|Allowed|Mismatch|Denied|Unauthorized|Full)"
    )
    named = {word for _, word in words() if reason.fullmatch(word)}
    assert len(named) > 10
    assert named - {reason.value for reason in Reason} == set()


def test_every_field_that_is_named_is_in_the_reference() -> None:
    """As far as fields are told by a dot."""
    roots = {"spec", "status", *(field.partition(".")[0] for field in FIELDS)}
    named = {(page, found[1]) for page, word in words() if (found := DOTTED.fullmatch(word)) and found[2] in roots}
    assert len(named) > 50
    assert {(page, word) for page, word in named if field(word) not in FIELDS} == set()


def field(word: str) -> str:
    return word.replace("[]", "").removeprefix("spec.").removeprefix("status.")


def test_the_readme_can_be_read_in_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200
