"""`imagebuild timeline -o html` of real builds, looked at in a browser: narrow and wide, light and dark, on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.command import Command, as_a_ci_job
from e2e.story import Story
from imagebuild.cli.page.document import LIMIT
from testbed.browser import Page, opened

pytestmark = [pytest.mark.cluster, pytest.mark.thorough]

HOSTILE = "</script><img src=http://example.com/x onerror=alert(1)>"
STAGES = f"""\
FROM busybox:1.37 AS one
RUN sleep 2; echo "made of one"; echo one > /one
FROM busybox:1.37 AS two
RUN echo "{HOSTILE}"; printf '\\033[31mred \\342\\200\\256 turned\\n'; echo two > /two
FROM busybox:1.37
COPY --from=one /one /one
COPY --from=two /two /two
"""
FAILS = STAGES + "RUN seq 100; echo 'the reason'; exit 3\nRUN echo never\n"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
BOTTOM = """(() => {
    const box = document.querySelector('#failure pre'), end = document.createRange();
    end.setStart(box.firstChild, box.firstChild.length - 1);
    end.setEnd(box.firstChild, box.firstChild.length);
    const bottom = end.getBoundingClientRect().bottom;
    return bottom <= box.getBoundingClientRect().bottom ? bottom : Infinity;
})()"""


def page_of(imagebuild: Command, name: str, directory: Path) -> Path:
    file = directory / f"{name}.html"
    file.write_text(imagebuild("timeline", name, "-o", "html").stdout)
    assert file.stat().st_size <= LIMIT
    return file


def text(page: Page, selector: str = "body") -> str:
    found: str = page.value(f"document.querySelector({selector!r}).innerText.replace(/\\s+/g, ' ')")
    return found


def looked_at(page: Page, file: Path) -> Iterator[tuple[int, bool]]:
    """At every size and in both schemes, with a picture of each beside the file."""
    for width in (360, 1600):
        for dark in (False, True):
            page.look(width, dark=dark)
            page.screenshot(file.with_name(f"{file.stem}-{width}-{'dark' if dark else 'light'}.png"))
            yield width, dark


def is_whole_and_quiet(page: Page, file: Path) -> None:
    backgrounds = {}
    for width, dark in looked_at(page, file):
        assert page.value(OVERFLOW) <= 0, f"nothing is cut off or scrolled sideways at {width}"
        backgrounds[dark] = page.value("getComputedStyle(document.body).backgroundColor")
    assert backgrounds[False] != backgrounds[True]
    page.look(794, dark=True, media="print")
    assert page.value("getComputedStyle(document.body).backgroundColor") == backgrounds[False], "paper is white"
    page.look(1600)
    for script in ("script", "img", "iframe", "link", "[style]"):
        assert page.value(f"document.querySelectorAll({script!r}).length") == 0
    assert page.requests == [file.as_uri()], "nothing but the page itself is asked for"
    assert page.complaints == []


def test_the_page_of_an_image_shows_its_steps_and_a_browser_has_nothing_to_say_against_it(
    story: Story, tmp_path: Path
) -> None:
    story.apply(story.inline(STAGES), name="shop")
    status = story.succeeds("shop")
    file = page_of(Command(story), "shop", tmp_path)
    with opened(file) as page:
        is_whole_and_quiet(page, file)
        shown = text(page)
        assert "shop ✔ Succeeded, Built" in shown
        assert f"{story.image()}@{status['output']['digest']}" in shown
        assert f"{status['cache']['summary']} steps" in shown
        phases = text(page, "ol.legend")
        for phase in ("queue", "schedule", "container start", "fetch", "daemon", "build", "image export", "push"):
            assert phase in phases
        path = text(page, "ol:not([class])")
        assert "[one 2/2] RUN sleep 2" in path
        assert "[two 2/2]" not in path, "it had time to spare"

        assert page.value("document.querySelectorAll('details[open]').length") == 0
        page.value("document.querySelectorAll('details').forEach(each => each.open = true)")
        opened_text = text(page)
        assert "made of one" in opened_text
        assert HOSTILE in opened_text, "as it was printed"
        assert "red \\u202e turned" in opened_text
        assert "There was no cache to read" in opened_text
        assert "It works on the result of [one 2/2] RUN sleep 2" in opened_text, "BuildKit says what works on what"
        widths = "[...document.querySelectorAll('svg.bar rect')].map(each => each.getBoundingClientRect().width)"
        assert all(width >= 2 for width in page.value(widths)), "each step has a bar that is to be seen"
        is_whole_and_quiet(page, file)


def test_a_second_run_tells_hits_from_misses_and_has_the_first_one_below(story: Story, tmp_path: Path) -> None:
    story.apply(story.inline(STAGES), name="shop")
    first = story.succeeds("shop")["output"]["digest"]
    story.apply(story.inline(STAGES + "RUN echo new\n"), name="shop")
    story.succeeds("shop", run=2)
    file = page_of(Command(story), "shop", tmp_path)
    with opened(file) as page:
        is_whole_and_quiet(page, file)
        rows = page.value("[...document.querySelectorAll('.rows summary')].map(each => each.textContent)")
        assert [row for row in rows if row.startswith("cached3/4 COPY --from=two /two /two")], rows
        assert [row for row in rows if row.startswith("ran4/4 RUN echo new")], rows
        page.value("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert text(page).count("Why not cached") == 1
        assert "Why not cached No cache has it: the line, or what it works on, is new." in text(page)
        assert f"1 {story.status('shop')['history'][0]['finishedAt']} Built {first}" in text(page, "table")


def test_a_step_opens_by_the_keyboard_and_a_link_leads_to_another(story: Story, tmp_path: Path) -> None:
    story.apply(story.inline(STAGES), name="shop")
    story.succeeds("shop")
    with opened(page_of(Command(story), "shop", tmp_path)) as page:
        page.look(1600)
        page.value("document.querySelector('div.stage summary').focus({focusVisible: true})")
        outlines = page.value("getComputedStyle(document.activeElement).outlineStyle")
        assert outlines == "solid", "the focus is to be seen"
        page.press("Enter")
        assert page.value("document.activeElement.parentElement.open") is True
        page.press("Tab")
        assert page.value("document.activeElement !== document.body")
        page.value("document.querySelector('ol:not([class]) a').focus()")
        page.press("Enter")
        assert page.value("document.querySelector(':target').checkVisibility()"), "also where it was folded away"


def test_the_page_of_a_failure_opens_on_the_step_that_failed_with_the_rights_of_a_ci_job(
    story: Story, tmp_path: Path
) -> None:
    story.apply(story.inline(FAILS), name="shop")
    story.fails("StepFailed", "shop")
    file = page_of(as_a_ci_job(story, tmp_path), "shop", tmp_path)
    with opened(file) as page:
        is_whole_and_quiet(page, file)
        failure = text(page, "#failure")
        assert "StepFailed" in failure
        assert "Dockerfile:8" in failure
        assert "(exit code 3)" in failure
        assert "What to do: Read what the step says; imagebuild logs shop" in failure
        assert "the reason" in failure
        assert "lines before these are in the log." in failure
        assert page.value(BOTTOM) < 900, "the last line that it printed, without scrolling"
        assert text(page, "details[open][id] summary").startswith("failed 4/5 RUN seq 100")
        assert "RUN echo never" not in text(page)

    story.kubectl("delete", "pod", story.status("shop")["podName"])
    with opened(page_of(Command(story), "shop", tmp_path)) as page:
        assert "the reason" in text(page, "#failure"), "the status keeps the end of it"
        assert "is gone, and its log with it" in text(page)
