"""Every generated file: where it is, and what must be in it."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import yaml

from generator import page
from generator.commands import commands
from generator.golden import golden
from generator.reference import reference
from imagebuild.api.crd import crd
from imagebuild.api.names import GROUP, PLURAL

ROOT = Path(__file__).resolve().parents[2]
PROFILE = ROOT / "manifests" / "seccomp" / "profile.json"
SECCOMP_MODULE = ROOT / "operator" / "imagebuild" / "core" / "seccomp.py"
GOLDEN = ROOT / "tests" / "golden"
_MADE = "Made by hack/generate. Changes here are lost."


@functools.cache
def files() -> dict[Path, str]:
    return {
        ROOT / "crds" / f"{GROUP}_{PLURAL}.yaml": _yaml(crd()),
        ROOT / "docs" / "reference.md": f"<!-- {_MADE} -->\n\n{reference()}",
        ROOT / "docs" / "commands.md": f"<!-- {_MADE} -->\n\n{commands()}",
        SECCOMP_MODULE: _seccomp_module(),
        **{GOLDEN / f"{name}.yaml": _yaml(*documents) for name, documents in golden(ROOT).items()},
        GOLDEN / "page-built.html": f"<!-- {_MADE} -->\n{page.built()}",
        GOLDEN / "page-failed.html": f"<!-- {_MADE} -->\n{page.failing()}",
    }


def outdated() -> list[Path]:
    """Files that differ from what the code says, and golden files that nothing makes any more."""
    wanted = files()
    different = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    return [*different, *(path for path in sorted(GOLDEN.glob("*.yaml")) if path not in wanted)]


class _Dumper(yaml.SafeDumper):
    """YAML as a person writes it: lists indented, texts of several lines as blocks, nothing by reference."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  the names and order are the library's
        return True


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def _yaml(*documents: object) -> str:
    text = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return f"# {_MADE}\n{text}"


def _seccomp_module() -> str:
    digest = hashlib.sha256(PROFILE.read_bytes()).hexdigest()[:16]
    return (
        f'"""{_MADE}"""\n\n'
        f'PROFILE = "imagebuild/{digest}.json"\n'
        '"""The seccomp profile of build pods, below the kubelet\'s seccomp directory, named by its content."""\n'
    )
