"""The documents as data: their code blocks, what each of them is checked as, and their links.

A block is one of these, by its info string and its top-level keys:

- `yaml` beginning with `# kustomization.yaml`: what it names must be there; where it is whole the page's commands use it.
- `yaml` with `kind`: objects, which a real API server must take.
- `yaml` with `spec`, or with fields of `spec`: an ImageBuild, completed by `completed`; the API server must take it.
- `yaml` with keys of the operator's configuration, or beginning with `# config.yaml`: the operator must read it.
- `sh`: tests/e2e/test_documents.py runs it.
- anything else: in NOT_OURS, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import yaml

from imagebuild.api.config import OperatorConfig
from imagebuild.api.crd import crd
from imagebuild.api.names import API_VERSION, KIND
from make import Document

ROOT = Path(__file__).resolve().parents[1]
GENERATED = ROOT / "docs" / "reference.md"
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", ROOT / "hack" / "README.md"]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
NOT_OURS = {
    "": "pictures",
    "console": "what a command prints; test_documents.py compares it with the columns of the CRD",
    "promql": "Prometheus is not here; test_documents.py looks for each metric in the operator's",
    "dockerfile": "lines out of somebody's Dockerfile; tests/e2e/test_secrets.py and test_sources.py build such ones",
    "yaml gitlab": "GitLab is not here; the scripts are read by bash, and those that make an ImageBuild are run",
    "yaml github": "GitHub is not here; tests/e2e/test_ci.py runs the action's script",
    "yaml shipwright": "another operator's objects",
    "sh imagebuild": "tests/e2e/test_cli.py types such ones; test_documents.py has the command line read each of them",
    "sh node": "to be typed on a node; tests/e2e/test_seccomp.py runs it in a pod that has the node's directory",
    "sh apparmor": "needs a kernel with AppArmor; tests/e2e/test_seccomp.py compares the profile with the engine's",
    "yaml release": "beside a file that hack/release makes: tests/e2e/test_release.py applies it to that",
    "sh release": "of files that hack/release has made: tests/e2e/test_release.py runs it on those",
    "sh helm": "tests/e2e/test_chart.py types it, and has Helm render the chart instead of installing it",
    "sh docker": "needs a Docker engine; the files that it names are looked for",
}
HACK = re.compile(r"hack/[a-z]+(?: .*)?")
"""Commands of this repository: they run the tests, or are run by them."""

_SPEC_FIELDS = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    page: Path
    line: int
    info: str
    text: str

    def __str__(self) -> str:
        return f"{title(self.page)}:{self.line}"

    @property
    def documents(self) -> list[Any]:
        return list(yaml.safe_load_all(self.text))

    @property
    def is_ours(self) -> bool:
        return self.info not in NOT_OURS

    @property
    def is_configuration(self) -> bool:
        if self.info != "yaml" or self.is_objects or self.is_kustomization:
            return False
        keys = {key for document in self.documents for key in document}
        return self.text.startswith("# config.yaml") or not keys <= {*_SPEC_FIELDS, "spec"}

    @property
    def is_objects(self) -> bool:
        return (
            self.info == "yaml" and not self.is_kustomization and all("kind" in document for document in self.documents)
        )

    @property
    def is_kustomization(self) -> bool:
        return self.info == "yaml" and self.text.startswith("# kustomization.yaml")


def title(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start()) + 1,
            info=found["info"].strip(),
            text=dedent(found["text"]),
        )
        for found in _FENCE.finditer(text)
    ]


def prose(page: Path) -> str:
    """Without the blocks."""
    return _FENCE.sub("", page.read_text())


def objects(block: Block) -> list[Document]:
    """What a block of YAML stands for, as the API server is to take it."""
    if block.info != "yaml" or block.is_configuration or block.is_kustomization:
        return []
    if block.is_objects:
        return block.documents
    return [completed(document.get("spec", document), f"line-{block.line}") for document in block.documents]


def completed(spec: Document, name: str) -> Document:
    """An ImageBuild of which a page shows a part: of a git repository and pushed, where it does not say otherwise."""
    output = spec.get("output", {})
    if not {"images", "discard"} & output.keys():
        output = {**output, "images": ["registry.example.com/shop/shop:1"]}
    whole = {"source": {"git": {"url": "https://git.example.com/shop/shop.git"}}, **spec, "output": output}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": whole}


def unknown_keys(block: Block) -> set[str]:
    """Of a fragment: neither of the spec nor of the configuration."""
    keys = {key for document in block.documents for key in document}
    return keys - {*_SPEC_FIELDS, "spec"} - {field.alias or key for key, field in OperatorConfig.model_fields.items()}


def shell(page: Path) -> list[Block]:
    """What a reader of the page is to type, but for the commands in hack/."""
    return [
        block
        for block in blocks(page)
        if block.info == "sh" and not all(HACK.fullmatch(line) for line in block.text.splitlines())
    ]


def links(page: Path) -> Iterator[str]:
    """Those within the repository."""
    for target in _LINK.findall(prose(page)):
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    found: dict[str, int] = {}
    for heading in _HEADING.findall(prose(page)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found[slug] = found.get(slug, 0) + 1
    return {slug if number == 0 else f"{slug}-{number}" for slug, count in found.items() for number in range(count)}
