"""Which pages the site has, and in which order: a new page is a line here, a new how-to nothing at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FRONT = "docs/README.md"
SECTIONS = {
    "Begin": ("README.md", "docs/quickstart.md", "docs/concepts.md", "docs/install.md", "docs/cli.md"),
    "How to": (
        *(f"docs/howto/{name}.md" for name in ("sources", "local-directory", "dockerfile", "output", "cache")),
        *(f"docs/howto/{name}.md" for name in ("registries", "pod", "lifecycle", "ci", "gitops")),
        "docs/howto/*.md",
        "docs/migration.md",
    ),
    "When something goes wrong": ("docs/troubleshooting.md", "docs/reliability.md"),
    "For administrators": (
        "docs/operations.md",
        "docs/namespaced.md",
        "docs/airgapped.md",
        "docs/security.md",
        "SECURITY.md",
    ),
    "Reference": (
        "docs/reference.md",
        "docs/commands.md",
        "docs/examples.md",
        "manifests/chart/README.md",
        "manifests/ci/README.md",
    ),
    "The project": ("docs/architecture.md", "docs/benchmark*.md", "hack/README.md", "CHANGELOG.md"),
}
"""Of a page that two patterns fit, the first one counts. What fits nothing is no fault: the pages are what counts."""
NAMES = {
    "README.md": "Overview",
    "SECURITY.md": "Vulnerabilities and supply chain",
    "hack/README.md": "Developing",
    "manifests/ci/README.md": "Files for CI systems",
}
"""Titles on the site, in menu and search, where the page's own would not do between the others."""


def sections(root: Path = ROOT) -> dict[str, list[str]]:
    """The pages of each, as they are there."""
    seen: set[str] = set()
    found: dict[str, list[str]] = {}
    for section, patterns in SECTIONS.items():
        found[section] = [page for pattern in patterns for page in _fitting(root, pattern) if page not in seen]
        seen.update(found[section])
    return found


def _fitting(root: Path, pattern: str) -> Iterator[str]:
    named = {name for patterns in SECTIONS.values() for name in patterns if "*" not in name}
    for path in sorted(root.glob(pattern)):
        page = str(path.relative_to(root))
        if page == pattern or page not in named:
            yield page


def pages(root: Path = ROOT) -> list[str]:
    return [FRONT, *(page for section in sections(root).values() for page in section)]


def toctrees(root: Path = ROOT) -> str:
    """For the end of the front page, in Sphinx' words; the page itself has links that GitHub shows, too."""
    return "".join(
        f"\n\n```{{toctree}}\n:hidden:\n:caption: {section}\n\n"
        + "".join(f"/{page.removesuffix('.md')}\n" for page in found)
        + "```\n"
        for section, found in sections(root).items()
        if found
    )
