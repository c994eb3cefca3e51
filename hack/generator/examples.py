"""docs/examples.md: the files in manifests/examples on one page, where they can be searched."""

from __future__ import annotations

from pathlib import Path

_INTRODUCTION = """\
# Examples

The files of `manifests/examples`, whole. The tests apply each to an API server, and keep the pod that it gets in
`tests/golden`. What a field means is in the [reference](reference.md); what for, in the how-tos.

"""


def examples(directory: Path) -> str:
    return _INTRODUCTION + "\n".join(map(_section, sorted(directory.glob("*.yaml"))))


def _section(file: Path) -> str:
    return f"## {file.stem}\n\n```yaml\n{file.read_text()}```\n"
