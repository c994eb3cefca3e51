"""`imagebuild timeline -o html`: what a build's page says, and that nothing a build says breaks out of it."""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from generator import page as example
from imagebuild.cli import phases
from imagebuild.cli.page import document
from imagebuild.cli.page.document import LIMIT, Facts, page
from imagebuild.cli.page.markup import element
from imagebuild.cli.view import View
from imagebuild.contract.timeline import State, Step

STYLE = Path(document.__file__).with_name("style.css").read_text()
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class Read(HTMLParser):
    """A page as a browser reads it: its elements, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @functools.cached_property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).replace(STYLE, "").split())

    @property
    def skeleton(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(tag, tuple(attributes)) for tag, attributes in self.elements]


@functools.cache
def harmless() -> Read:
    return Read(page(said_by_a_build("x")))


@functools.cache
def built() -> Read:
    return Read(example.built())


def opened(read: Read) -> list[str]:
    return [str(attributes["id"]) for tag, attributes in read.elements if tag == "details" and "open" in attributes]


def replaced(value: Any, text: str) -> Any:
    """A document with this text wherever there was one, but for times and what decides which page is made."""
    if isinstance(value, dict):
        kept = {"phase", "reason", "result"}
        return {
            key: item if key in kept or key.endswith("At") or key in ("cached", "total") else replaced(item, text)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [replaced(item, text) for item in value]
    return text if isinstance(value, str) else value


def said_by_a_build(text: str) -> Facts:
    """All that a build can say is this text."""
    build = replaced(example.document(**example.FAILURE, warnings=["w"]), text)
    steps = tuple(
        dataclasses.replace(step, name=step.name.partition("]")[0] + "] " + text) for step in example.failed()
    )
    log = [f"#7 {steps[10].name}", f"#7 0.1 {text}", f"#8 {text}", f"#8 {text}"]
    return example.facts(build, steps, log)


HOSTILE = {
    "script": "</script><script>alert(1)</script>",
    "end of every element": "</bdi></summary></details></pre></section></main></body></style></title>--></textarea>",
    "attribute": '" onmouseover="alert(1)" x=\'',
    "attribute without quotes": "x onfocus=alert(1) autofocus tabindex=1",
    "image": "<img src=http://example.com/x onerror=alert(1)>",
    "address": "javascript:alert(1)",
    "style": "<style>*{display:none}</style><link rel=stylesheet href=//example.com>",
    "frame and base": "<iframe srcdoc='<script>1</script>'></iframe><base href=//example.com>",
    "foreign content": "<svg><animate onbegin=alert(1)><math><mi xlink:href=javascript:1>",
    "comment": "<!--><img src=x onerror=alert(1)>--!>",
    "entity": "&lt;script&gt; &#60;script&#62; &amp",
    "template": "{{7*7}} ${7*7} <%= 7 %>",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_a_build_says_is_text_and_nothing_else(text: str) -> None:
    hostile = Read(page(said_by_a_build(text)))
    assert hostile.skeleton == harmless().skeleton
    assert hostile.text.count(" ".join(text.split())) >= 20, "as it was said, everywhere"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        pytest.param("a\x1b[31mred\x1b[0m", "ared", id="a colour"),
        pytest.param("\x1b]0;title\x07", "\\x1b]0;title\\x07", id="a title"),
        pytest.param("\x1b[2J\x00\x9b", "\\x1b[2J\\x00\\x9b", id="control characters"),
        pytest.param("safe\u202egnp.exe", "safe\\u202egnp.exe", id="turned text"),
        pytest.param("\u2066\u2069\u200f\u061c", "\\u2066\\u2069\\u200f\\u061c", id="isolates and marks"),
        pytest.param("a\u200bb\ufeff\u2028", "a\\u200bb\\ufeff\\u2028", id="characters without width"),
        pytest.param("a\rb", "a b", id="a line over another"),
        pytest.param("half \ud800", "half ?", id="half of a character"),
    ],
)
def test_what_steers_or_turns_text_is_to_be_seen(text: str, seen: str) -> None:
    made = page(said_by_a_build(text))
    assert STEERS.search(made) is None
    assert Read(made).text.count(seen) >= 20


@pytest.mark.parametrize(
    ("tag", "attributes"),
    [
        ("script", {}),
        ("style", {}),
        ("img", {}),
        ("p", {"onclick": "x"}),
        ("p", {"style": "color: red"}),
        ("a", {"href": "https://example.com"}),
        ("a", {"href": "javascript:x"}),
        ("a", {"href": "#x' y"}),
    ],
)
def test_nothing_that_runs_or_leads_away_can_be_written(tag: str, attributes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"no element|no attribute|off the page"):
        element(tag, **attributes)


def test_an_element_is_written_with_its_attributes_and_text() -> None:
    made = element("p", "a < b", None, element("span", 'c"', class_="d"), id='"', aria_hidden="true", open=False)
    assert made.text == '<p id="&quot;" aria-hidden="true">a &lt; b<span class="d">c&quot;</span></p>'


@pytest.mark.parametrize("made", [example.built(), example.failing()], ids=["built", "failed"])
def test_a_page_asks_for_nothing_and_takes_no_style_but_its_own(made: str) -> None:
    read = Read(made)
    metas = {str(each.get("http-equiv")): each.get("content") for tag, each in read.elements if tag == "meta"}
    digest = base64.b64encode(hashlib.sha256(made.partition("<style>")[2].partition("</style>")[0].encode()).digest())
    assert metas["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest.decode()}'; base-uri 'none'; form-action 'none'"
    )
    assert not {"script", "link", "img", "iframe", "object", "form"} & {tag for tag, _ in read.elements}
    assert "@import" not in STYLE
    assert set(re.findall(r"url\(([^)]*)\)", STYLE)) == {
        f"#pattern-{state}" for state in ("cached", "failed", "canceled", "running")
    }
    assert all(str(each["href"]).startswith("#") for _, each in read.elements if "href" in each)


def test_every_link_leads_to_an_element_of_the_page() -> None:
    for made in (example.built(), example.failing()):
        read = Read(made)
        ids = [str(each["id"]) for _, each in read.elements if "id" in each]
        assert len(ids) == len(set(ids))
        assert {str(each["href"])[1:] for _, each in read.elements if "href" in each} <= set(ids)
        assert {str(each["aria-labelledby"]) for _, each in read.elements if "aria-labelledby" in each} <= set(ids)


@pytest.mark.parametrize(
    "told",
    [
        "shop ✔ Succeeded, Built",
        "The image is in the registry.",
        "Namespace team-a",
        f"Image registry.example.com/shop:4f2d1c9@sha256:{'9c' * 32}",
        "Commit 4f2d1c9e0b7a65483920fedcba98765432101234",
        "Duration 38s",
        "From the cache 3/9 steps; FROM is not counted",
        "read registry.example.com/shop:buildcache-main-1f2e3d4c: Found",
        "Run run 3, attempt 1",
        "As it was at 2026-11-24T12:02:00Z",
        "queue 4.0s schedule 3.0s container start 3.0s fetch 1.4s daemon 3.2s build 23.7s image export 1.9s push 3.1s cache export 4.4s",
        "[api 4/4] RUN go build -trimpath -o /out/shop ./cmd/shop 21.4s [stage-2 2/3] COPY --from=api /out/shop /shop 0.3s",
        "stage web 2 of 3 cached",
        "cached 3/4 RUN npm ci",
        "ran 4/4 RUN npm run build && npm test",
        "Result Its result came from the cache.",
        "Why not cached No cache has it: the line, what it copies from the source, or what it works on is new.",
        "Why not cached It works on the result of [api 3/4] COPY . ., which was not in the cache.",
        "Works on [api 2/4] WORKDIR /src , [internal] load build context",
        "20.93 shop: 18.2 MB",
        "Tests: 48 passed, 48 total",
        "Run Ended Reason Result 2 2026-11-24T10:11:12Z StepFailed",
        "imagebuild logs shop -n team-a",
    ],
)
def test_the_page_of_an_image_says_what_it_is_and_where_the_time_went(told: str) -> None:
    assert told in built().text


def test_the_page_of_a_failure_begins_with_the_step_that_failed_and_what_to_do() -> None:
    read = Read(example.failing())
    told = (
        "shop ✖ Failed, StepFailed Why it failed shop: StepFailed: A step of the Dockerfile failed. "
        "Dockerfile:12 [web 4/4] RUN npm run build && npm test (exit code 1) "
        "What to do: Read what the step says; imagebuild logs shop -n team-a has all of it. "
        "0.630 > web@1.0.0 build"
    )
    assert told in read.text
    assert "expect(total).toBe(0) <- received: 4.99" in read.text
    assert opened(read) == ["step-10"]
    assert read.text.count("FAIL src/cart.test.ts") == 1
    assert "canceled 4/4 RUN go build" in read.text


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.0, "cached 2/2 RUN b Step"), (4.2, "cached 2/2 RUN b ◆ critical 4.2s Step")]
)
def test_a_hit_that_had_to_be_fetched_took_its_time(seconds: float, told: str) -> None:
    steps = (
        Step(name="[1/2] RUN a", start=0.0, seconds=1.0),
        Step(name="[2/2] RUN b", start=1.0, seconds=seconds, needs=(0,), state=State.CACHED),
    )
    assert told in Read(page(example.facts(example.document(), steps))).text


def test_without_a_log_the_page_has_what_the_status_keeps() -> None:
    whole = example.facts(example.document(**example.FAILURE), ())
    read = Read(page(dataclasses.replace(whole, note="The pod shop-3-1-x7k2p is gone.")))
    assert "Tests: 1 failed, 47 passed, 48 total" in read.text
    assert "The pod shop-3-1-x7k2p is gone." in read.text
    assert "daemon 3.2s build, push, cache 33.4s" in read.text


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({}, "shop ? new"),
        ({"phase": "Pending", "reason": "Queued", "queuedAt": "2026-11-24T12:00:00Z"}, "queue (goes on) 2m00s"),
        ({"phase": "Failed", "reason": "SomethingNew", "message": "No."}, "shop: SomethingNew: No."),
        (
            {
                "phase": "Pending",
                "reason": "Retrying",
                "run": {"number": 1},
                "attempt": 1,
                "failures": 1,
                "failure": {"reason": "NodeLost", "message": "The node is gone."},
            },
            "Run run 1, attempt 1 (1 faults of the infrastructure)",
        ),
    ],
)
def test_there_is_a_page_at_every_point_of_a_life(status: dict[str, Any], told: str) -> None:
    build = {**example.document(), "status": status}
    spans = phases.spans(View(build), {}, None, example.NOW)
    text = Read(page(Facts(build=View(build), spans=spans, now=example.NOW))).text
    assert told in text
    assert ("The attempt before: shop: NodeLost: The node is gone." in text) == ("failure" in status)


def huge(step: Step, text: str) -> Iterator[str]:
    yield f"#1 {step.name}"
    yield from (f"#1 0.1 {each} {text}" for each in range(200))


@pytest.mark.parametrize(
    "text",
    ["<" * 400, "\u202e" * 400, "\U0001f4a3" * 400, '"' * 20_000],
    ids=["markup", "turned text", "characters of four bytes", "lines without end"],
)
def test_a_page_stays_small_whatever_a_build_says(text: str) -> None:
    many = [
        Step(name=f"[{place}/500] {text}", start=place / 10, seconds=1.0, needs=tuple(range(place)[-9:]))
        for place in range(499)
    ]
    failed = Step(name="[500/500] RUN false", start=300.0, seconds=9.0, state=State.FAILED, needs=(3,))
    steps = (*many, failed)
    log = [*(line for step in steps[-3:] for line in huge(step, text)), f"#2 {steps[-1].name}", "#2 0.1 the end"]
    build = replaced(example.document(**example.FAILURE), text * 20)
    read = Read(made := page(example.facts(build, steps, log)))
    assert len(made.encode()) <= LIMIT
    assert opened(read) == ["step-499"]
    assert "the end" in read.text
    assert "more steps, the shortest ones, are left out." in read.text
