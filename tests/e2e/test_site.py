"""The site that hack/docs makes, in a browser: narrow and wide, light and dark, and its search, which has no server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from docsite.command import build
from testbed.browser import Page, opened
from testbed.kubectl import until

pytestmark = pytest.mark.thorough

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
PAGES = ("docs/README.html", "docs/quickstart.html", "docs/troubleshooting.html", "docs/reference.html", "README.html")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("docs") / "site"
    assert build(to) == ""
    return to


def backgrounds(page: Page, picture: Path) -> Iterator[str]:
    for width in (360, 1600):
        for dark in (False, True):
            page.look(width, dark=dark)
            page.screenshot(picture.with_name(f"{picture.stem}-{width}-{'dark' if dark else 'light'}.png"), height=1200)
            assert page.value(OVERFLOW) <= 0, f"nothing is cut off or scrolled sideways at {width}"
            yield page.value("getComputedStyle(document.body).backgroundColor")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone_and_a_desk_by_day_and_night_and_asks_no_other_host(
    site: Path, tmp_path: Path, name: str
) -> None:
    with opened(site / name) as page:
        narrow, narrow_dark, wide, wide_dark = backgrounds(page, tmp_path / name.replace("/", "-"))
        assert (narrow, narrow_dark) == (wide, wide_dark)
        assert narrow != narrow_dark
        assert page.complaints == []
        assert [asked for asked in page.requests if not asked.startswith((site.as_uri(), "data:"))] == []


def is_there(page: Page, path: str) -> bool:
    """Also while one page leads to another: who is asked at that moment does not answer."""
    try:
        return bool(page.value(f"location.pathname.endsWith('{path}') && document.readyState === 'complete'"))
    except AssertionError as error:
        if "navigated" not in str(error):
            raise
        return False


def test_the_site_begins_with_its_front_page_which_has_every_section_in_its_menu(site: Path) -> None:
    with opened(site / "index.html") as page:
        until("the front page", lambda: is_there(page, "/docs/README.html"), seconds=30)
        said = page.value("document.querySelector('.sidebar-tree').innerText").lower()
        for name in ("quick start", "troubleshooting", "ci without docker", "reference", "security", "architecture"):
            assert name in said


def test_the_search_finds_the_branch_cache_without_a_server(site: Path) -> None:
    hits = "document.querySelector('#search-results').innerText"
    with opened(site / "search.html", query="?q=buildcache") as page:
        until("a hit", lambda: "Troubleshooting" in page.value(hits), seconds=30)
        assert [asked for asked in page.requests if not asked.startswith((site.as_uri(), "data:"))] == []
