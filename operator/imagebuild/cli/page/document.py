"""The page of one build: one file that asks for nothing and runs nothing. Pure but for its style sheet."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from imagebuild.cli import ending
from imagebuild.cli.page import periods, steps, summary
from imagebuild.cli.page.cause import why_not_cached
from imagebuild.cli.page.drawing import patterns
from imagebuild.cli.page.excerpts import Excerpt, fitted
from imagebuild.cli.page.graph import Node, nodes, to_blame
from imagebuild.cli.page.markup import Markup, element, joined, shown
from imagebuild.cli.page.summary import cut, head, history, state
from imagebuild.cli.phases import Span
from imagebuild.cli.view import View
from imagebuild.contract.timeline import Timeline

__all__ = ["LIMIT", "Facts", "page"]

LIMIT = 2_000_000
"""Bytes of a page."""
_SIZES = ((400, 900_000), (200, 400_000), (80, 100_000), (20, 20_000))
"""Steps, and bytes of what they printed, tried in turn. Whatever pods write, the last one is small."""
_STYLE = Path(__file__).with_name("style.css")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is known of a build when its page is made."""

    build: View
    spans: Sequence[Span]
    """Phases and steps, in the order in which they are shown."""
    timeline: Timeline | None = None
    excerpts: Sequence[Excerpt] = field(default=())
    """One for each step of the timeline."""
    note: str = ""
    """On what is missing."""
    now: datetime


def page(facts: Facts) -> str:
    style = _STYLE.read_text()
    for most, room in _SIZES:
        text = _text(_body(facts, most, room), style, cut(f"{facts.build.name}: {state(facts.build)}"))
        if len(text.encode()) <= LIMIT:
            break
    return text


def _text(body: Markup, style: str, title: str) -> str:
    """The only style that the browser takes is the one with this digest; it takes no script and fetches nothing."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{shown(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n{body.text}\n</body>\n</html>\n"
    )


def _body(facts: Facts, most: int, room: int) -> Markup:
    build = facts.build
    every = nodes(facts.timeline, facts.excerpts) if facts.timeline else []
    failed = to_blame(every) if build.phase == "Failed" else None
    excerpts = fitted([node.excerpt for node in every], failed.place if failed else None, room)
    there = nodes(facts.timeline, excerpts) if facts.timeline else []
    failed = there[failed.place] if failed else None
    chosen = _chosen(there, facts.spans, most)
    left = len(every) - len(chosen)
    note = " ".join(filter(None, [facts.note, f"{left} more steps, the shortest ones, are left out." if left else ""]))
    main = element(
        "main",
        head(build),
        _failure(build, failed) if build.phase == "Failed" else None,
        summary.facts(build, facts.now.isoformat(timespec="seconds").replace("+00:00", "Z")),
        periods.section(facts.spans),
        steps.section(chosen, partial(_why, build, there), note, failed=failed),
        history(build),
    )
    command = cut(f"imagebuild logs {build.name} -n {build.namespace}")
    made = element("footer", element("p", f"Made by imagebuild timeline. The log as a whole: {command}"))
    return joined([patterns(), main, made], "\n")


def _why(build: View, there: Sequence[Node], node: Node) -> str:
    return cut(why_not_cached(build, node, there))


def _chosen(there: Sequence[Node], spans: Sequence[Span], most: int) -> list[Node]:
    """As many as there may be, those that failed and the longest ones, in the order of the chart."""
    kept = sorted(there, key=lambda node: (node.state != "Failed", not node.critical, -node.span.seconds))[:most]
    groups = {group: place for place, group in enumerate(dict.fromkeys(span.group for span in spans))}
    return sorted(kept, key=lambda node: (groups.get(node.span.group, len(groups)), node.order, node.place))


def _failure(build: View, node: Node | None) -> Markup:
    """What the failing step printed, from the log; where that is gone, the end of it that the status keeps."""
    told = ending.failure(build, log_shown=True)
    tail = str(build.of("failure").get("logTail") or "")
    printed = node.excerpt if node and node.excerpt.lines else Excerpt(tuple(cut(tail).splitlines()))
    said = steps.output(printed, "the failing step")
    lines = [element("p", element("bdi", cut(line.strip()))) for line in told]
    return element("section", element("h2", "Why it failed"), *lines, said, id="failure", class_="failure")
