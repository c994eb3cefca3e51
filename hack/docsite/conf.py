"""What Sphinx reads: the pages as they are in the repository, and every warning is an error (hack/docs)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from docsite import navigation  # noqa: E402  Sphinx runs this file alone

project = "ImageBuild operator"
html_title = project
extensions = ["myst_parser"]
root_doc = navigation.FRONT.removesuffix(".md")
source_suffix = {".md": "markdown"}
exclude_patterns = [".*", "site", "dist"]  # not walked through in search of pages
nitpicky = True
show_warning_types = True
highlight_language = "text"
smartquotes = False  # they make one dash of the two before a flag
myst_heading_anchors = 4  # as GitHub makes them

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["static/index.html"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options: dict[str, list[str]] = {"top_of_page_buttons": []}

DIRECTORIES = {"manifests/examples": "docs/examples.md"}
"""GitHub shows a directory's files. The site has a page instead; a link to any other directory is an error."""
_TITLE = re.compile(r"^# .*", re.MULTILINE)
_LINK = re.compile(r"(\]\()([^)\s#]+)(\))")


def _prepared(app: Sphinx, document: str, source: list[str]) -> None:
    here = (Path(app.srcdir) / document).parent

    def page(found: re.Match[str]) -> str:
        path = (here / found[2]).resolve()
        if path.is_relative_to(app.srcdir) and (named := DIRECTORIES.get(str(path.relative_to(app.srcdir)))):
            return f"{found[1]}/{named}{found[3]}"
        return found[0]

    source[0] = _LINK.sub(page, source[0])
    if name := navigation.NAMES.get(f"{document}.md"):
        source[0] = _TITLE.sub(f"# {name}", source[0], count=1)
    if document == root_doc:
        source[0] += navigation.toctrees(Path(app.srcdir))


def setup(app: Sphinx) -> None:
    app.config.include_patterns = navigation.pages(Path(app.srcdir))
    app.connect("source-read", _prepared)
