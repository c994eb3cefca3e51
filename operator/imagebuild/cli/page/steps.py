"""The steps of a build by stage: a row with a bar for each, which opens on what it printed and what it waited for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

from imagebuild.cli.chart import took
from imagebuild.cli.page.drawing import axis, bar
from imagebuild.cli.page.excerpts import Excerpt
from imagebuild.cli.page.graph import Node
from imagebuild.cli.page.markup import Child, Markup, element, joined
from imagebuild.cli.phases import INTERNAL
from imagebuild.contract.timeline import State

__all__ = ["critical_path", "output", "section"]

_WORDS = {State.DONE: "ran", State.CACHED: "cached", State.FAILED: "failed", State.CANCELED: "canceled"}
_SENTENCES = {
    State.CACHED: "Its result came from the cache.",
    State.CANCELED: "Given up because the build had failed, or was stopped.",
    State.RUNNING: "Not over when the log was read.",
}
_LINKS = 4
_SHORT = 60


def critical_path(nodes: Sequence[Node]) -> Markup | None:
    path = sorted((node for node in nodes if node.critical), key=lambda node: node.start)
    if not path:
        return None
    seconds = sum(node.span.seconds for node in path)
    told = f"The build waited for each of these in turn, {seconds:.1f} s in all. To make others quicker gains nothing."
    items = [element("li", _link(node), " ", element("strong", _took(node))) for node in path]
    title = element("h3", "The critical path", id="critical")
    return element("section", title, element("p", told), element("ol", *items), aria_labelledby="critical")


def section(nodes: Sequence[Node], why: Callable[[Node], str], note: str, *, failed: Node | None) -> Markup:
    """Stages below each other in the order of their beginnings, and their steps by number."""
    seconds = max([0.1, *(node.end for node in nodes)])
    shown = {node.place: node for node in nodes}

    def row(node: Node) -> Markup:
        above = node is failed
        body = _body(node, shown, why(node), above=above)
        return element("li", element("details", _summary(node, seconds), body, id=_anchor(node), open=above))

    groups = [(group, list(of)) for group, of in groupby(nodes, key=lambda node: node.span.group)]
    stages = [_stage(group, of, [row(node) for node in of], opened=failed in of) for group, of in groups]
    title = element("h2", "Steps", id="steps")
    ruler = element("div", element("span", "Seconds since the first step"), axis(seconds), class_="ruler")
    said = element("p", note, class_="note") if note else None
    drawn = [ruler, *stages, _legend(nodes)] if nodes else []
    return element("section", title, said, critical_path(nodes), *drawn, aria_labelledby="steps")


def _stage(group: str, nodes: Sequence[Node], rows: list[Markup], *, opened: bool) -> Markup:
    name = {INTERNAL: "BuildKit itself"}.get(group, group)
    own = [node for node in nodes if node.own]
    cached = sum(1 for node in own if node.state is State.CACHED)
    told = f"{cached} of {len(own)} cached" if own else ""
    title = element("h3", element("bdi", name), element("span", f" {told}", class_="told"))
    listed = element("ol", *rows, class_="rows")
    if group != INTERNAL:
        return element("div", title, listed, class_="stage")
    return element("details", element("summary", title), listed, class_="stage", open=opened)


def _summary(node: Node, seconds: float) -> Markup:
    word = _WORDS.get(node.state, "running")
    mark = element("span", word, class_=f"word {node.state.value.lower()}")
    name = element("span", element("bdi", node.label), class_="name")
    critical = element("span", "◆ critical", class_="critical") if node.critical else None
    time = element("span", _took(node) if node.span.seconds or node.state is not State.CACHED else "", class_="took")
    return element("summary", mark, name, critical, bar(node, seconds), time)


def _took(node: Node) -> str:
    """Also of what came from the cache, which has to be fetched where a step works on it."""
    return took(replace(node.span, state=State.DONE))


def _body(node: Node, shown: dict[int, Node], why: str, *, above: bool) -> Markup:
    facts: list[tuple[str, Child]] = [
        ("Step", element("bdi", node.span.name)),
        ("Time", f"began after {node.start:.1f} s and took {node.span.seconds:.1f} s"),
        ("Result", _SENTENCES.get(node.state)),
        ("Why not cached", why or None),
        ("Works on", _links(node.needs, shown)),
        ("Worked on by", _links(node.needed_by, shown)),
    ]
    listed = [part for name, fact in facts if fact is not None for part in (element("dt", name), element("dd", fact))]
    said = element("p", element("a", "What it printed, and what to do", href="#failure")) if above else None
    return element("div", element("dl", *listed), said or output(node.excerpt, node.label), class_="body")


def output(excerpt: Excerpt, name: str) -> Markup | None:
    if not excerpt.lines and not excerpt.before:
        return None
    before = element("p", f"{excerpt.before} lines before these are in the log.") if excerpt.before else None
    text = element(
        "pre", "\n".join(excerpt.lines), tabindex="0", role="region", aria_label=f"Output of {name[:_SHORT]}"
    )
    return joined([before, text if excerpt.lines else None])


def _links(places: Sequence[int], shown: dict[int, Node]) -> Markup | None:
    there = [shown[place] for place in places if place in shown]
    if not there:
        return None
    more = [f"and {len(there) - _LINKS} more"] if len(there) > _LINKS else []
    return joined([*(_link(node) for node in there[:_LINKS]), *more], ", ")


def _link(node: Node) -> Markup:
    name = node.span.name
    return element("a", element("bdi", name if len(name) <= _SHORT else name[:_SHORT] + "…"), href=f"#{_anchor(node)}")


def _anchor(node: Node) -> str:
    return f"step-{node.place}"


def _legend(nodes: Sequence[Node]) -> Markup:
    states = [state for state in State if state in {node.state for node in nodes}]
    marks = [element("span", _WORDS.get(state, "running"), class_=f"word {state.value.lower()}") for state in states]
    path = element("span", "◆ critical", class_="critical") if any(node.critical for node in nodes) else None
    return element("p", *marks, path, class_="legend")
