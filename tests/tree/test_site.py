"""The documents as a site (hack/docs): whole, in one menu, strict about links, and sufficient to itself."""

from __future__ import annotations

import os
import re
from pathlib import Path

from docsite import navigation
from docsite.command import build
from documents import PAGES, ROOT, title

ASKED = re.compile(r"""<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=["']?(?:https?:)?//""")


def test_every_page_is_in_the_menu_once_and_nothing_else() -> None:
    shown = navigation.pages()
    wanted = {*map(title, PAGES), *(page for page in shown if page.startswith("manifests/"))}
    assert sorted(shown) == sorted(wanted), "a new page is a line in hack/docsite/navigation.py"


def test_the_front_page_leads_to_every_page_that_the_menu_names() -> None:
    front = (ROOT / navigation.FRONT).read_text()
    named = [page for patterns in navigation.SECTIONS.values() for page in patterns if "*" not in page]
    assert [page for page in named if f"({os.path.relpath(page, 'docs')})" not in front] == []


def test_a_how_to_that_nobody_has_listed_comes_after_those_that_are(tmp_path: Path) -> None:
    for name in ("docs/howto/aaa.md", "docs/howto/sources.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("# Title\n")
    assert navigation.sections(tmp_path)["How to"] == ["docs/howto/sources.md", "docs/howto/aaa.md"]


def test_the_site_is_built_without_a_warning_and_asks_nobody_for_anything(tmp_path: Path) -> None:
    assert build(tmp_path / "site") == ""
    assert (tmp_path / "site" / "index.html").exists()
    titles = [_title(tmp_path / "site" / page) for page in navigation.pages()]
    assert len(set(titles)) == len(titles), (
        "the menu, the search and the way to the next page have no other name for it"
    )
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(navigation.pages())
    assert {str(page) for page in pages if ASKED.search(page.read_text())} == set()
    styles = [style.read_text() for style in (tmp_path / "site").rglob("*.css")]
    assert [
        found for style in styles for found in re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//\S+", style)
    ] == []


def _title(page: Path) -> str:
    found = re.search(r"<h1>(.*?)<a ", page.with_suffix(".html").read_text())
    assert found
    return found[1]


def test_links_to_what_is_not_there_are_errors_that_name_it(tmp_path: Path) -> None:
    (tmp_path / "hack").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "concepts.md").write_text("# A\n")
    broken = ["[a](install.md)", "[a](concepts.md#b)", "[a](#c)", "![a](a.png)", "[a](../hack)"]
    (tmp_path / "docs" / "README.md").write_text("# Front\n\n" + "\n".join(broken))
    said = build(tmp_path / "site", tmp_path)
    assert [word for word in ("'install.md'", "'b'", "'c'", "a.png", "'../hack'") if word not in said] == []
    assert not (tmp_path / "site").exists()


def test_a_directory_with_anything_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("dear")
    assert "would be lost" in build(tmp_path)
    assert (tmp_path / "letter").read_text() == "dear"
