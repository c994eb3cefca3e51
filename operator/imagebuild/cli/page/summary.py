"""What a build is and what became of it: the head of its page, and the end, where earlier runs are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from imagebuild.cli import ending
from imagebuild.cli.page.markup import Child, Markup, element, joined
from imagebuild.cli.view import View

__all__ = ["cut", "facts", "head", "history", "state"]

_SIGNS = {"Succeeded": "✔", "Failed": "✖", "Running": "…", "Pending": "…"}
_LONGEST = 4000
_SHORT = "less than a second"


def cut(text: object) -> str:
    """No one value takes the page: status and spec are small, and this does not count on it."""
    whole = str(text)
    return whole if len(whole) <= _LONGEST else whole[:_LONGEST] + " …"


def state(build: View) -> str:
    return cut(", ".join(filter(None, [build.phase, build.reason])) or "new")


def head(build: View) -> Markup:
    badge = element("p", f"{_SIGNS.get(build.phase, '?')} {state(build)}", class_=f"badge {_kind(build)}")
    told = element("p", cut(build.message)) if build.phase != "Failed" and build.message else None
    return element("header", element("h1", element("bdi", cut(build.name))), badge, told)


def facts(build: View, at: str) -> Markup:
    listed = [
        part
        for name, values in _facts(build)
        for part in (element("dt", name), *(element("dd", element("bdi", cut(value))) for value in values))
        if values
    ]
    made = element("p", "As it was at ", element("time", at, datetime=at), class_="made")
    title = element("h2", "The build", id="build")
    return element("section", title, element("dl", *listed), *_warnings(build), made, aria_labelledby="build")


def _kind(build: View) -> str:
    return {"Succeeded": "good", "Failed": "bad"}.get(build.phase, "open")


def _facts(build: View) -> Iterator[tuple[str, list[str]]]:
    yield "Namespace", [build.namespace]
    yield "Image", ending.images(build)
    yield "Commit", _given(build.of("source").get("commit"))
    yield "Branch", _given(build.of("source").get("branch"))
    yield "Duration", [_SHORT if each == "0s" else each for each in _given(build.status.get("duration"))]
    yield "From the cache", [f"{each} steps; FROM is not counted" for each in _given(build.of("cache").get("summary"))]
    yield "Cache", list(_caches(build.of("cache")))
    yield "Run", [_run(build)] if build.run else []
    yield "Queued at", _given(build.status.get("queuedAt"))
    yield "Pod", _given(build.pod)


def _given(value: Any) -> list[str]:
    return [str(value)] if value else []


def _caches(cache: Mapping[str, Any]) -> Iterator[str]:
    for each in cache.get("imports") or ():
        yield f"read {each.get('ref')}: {each.get('result')}"
    if export := cache.get("export"):
        error = export.get("error")
        yield f"not written {export.get('ref')}: {error}" if error else f"written {export.get('ref')}"


def _run(build: View) -> str:
    counted = [("faults of the infrastructure", "failures"), ("waits for what was missing", "waits")]
    told = [f"{build.status[key]} {what}" for what, key in counted if build.status.get(key)]
    return f"run {build.run}, attempt {build.attempt}" + (f" ({', '.join(told)})" if told else "")


def _warnings(build: View) -> list[Markup]:
    found = [element("li", cut(each)) for each in build.status.get("warnings") or ()]
    return [element("h3", "Warnings"), element("ul", *found)] if found else []


def history(build: View) -> Markup | None:
    """The attempt before, while the next one is waited for, and the runs before."""
    records = [_record(each) for each in build.status.get("history") or ()]
    failed = ending.attempt(build) if build.phase != "Failed" else []
    if not records and not failed:
        return None
    before: list[Child] = (
        [element("p", "The attempt before:"), element("pre", cut("\n".join(failed)))] if failed else []
    )
    names = element("tr", *(element("th", name, scope="col") for name in ("Run", "Ended", "Reason", "Result")))
    table = element("table", element("thead", names), element("tbody", *records))
    scrolls = element("div", table, class_="scroll", tabindex="0", role="region", aria_label="Runs before")
    title = element("h2", "Before", id="before")
    return element("section", title, *before, scrolls if records else None, aria_labelledby="before")


def _record(record: Mapping[str, Any]) -> Markup:
    result = [element("div", cut(record[key])) for key in ("digest", "commit") if record.get(key)]
    cells = [element("td", cut(record.get(key) or "")) for key in ("finishedAt", "reason")]
    number = element("th", cut(record.get("run") or ""), scope="row")
    return element("tr", number, *cells, element("td", joined(result)))
