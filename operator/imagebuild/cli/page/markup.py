"""HTML that cannot be broken out of: text is escaped where it becomes part of an element, and nothing on a page runs.

All that a build says is untrusted, and its page is opened where people are logged in: on a CI server. So there is no
way here to write a script, a style, an event handler, or an address that leads off the page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass

from imagebuild.cli.terminal import harmless

__all__ = ["Child", "Markup", "element", "joined", "shown"]

_TAGS = frozenset(
    {"a", "bdi", "dd", "defs", "details", "div", "dl", "dt", "footer", "h1", "h2", "h3", "header", "li", "line", "main"}
    | {"ol", "p", "path", "pattern", "pre", "rect", "section", "span", "strong", "summary", "svg", "table", "tbody"}
    | {"td", "text", "th", "thead", "time", "tr", "ul"}
)
_ATTRIBUTES = frozenset(
    {"aria-hidden", "aria-label", "aria-labelledby", "class", "d", "datetime", "height", "href", "id", "open"}
    | {"patternUnits", "role", "scope", "tabindex", "text-anchor", "width", "x", "x1", "x2", "y", "y1", "y2"}
)
_WITHOUT_END = frozenset({"line", "path", "rect"})
_HERE = re.compile(r"#[a-z0-9-]+")
_UNSEEN = re.compile("[\u061c\u200b\u2028\u2029\ufeff]")
"""What a terminal does not mind and a page does: one more mark of direction, and characters without width."""


@dataclass(frozen=True, slots=True)
class Markup:
    """Text of HTML that `element` has made."""

    text: str


Child = Markup | str | None


def element(tag: str, *children: Child, **attributes: str | bool) -> Markup:
    """`class_` is the attribute class, `text_anchor` text-anchor. False and "" leave an attribute out."""
    if tag not in _TAGS:
        raise ValueError(f"<{tag}> is no element of these pages")
    written = "".join(_attribute(key, value) for key, value in attributes.items() if value)
    if tag in _WITHOUT_END:
        return Markup(f"<{tag}{written}/>")
    return Markup(f"<{tag}{written}>{joined(children).text}</{tag}>")


def joined(children: Iterable[Child], between: str = "") -> Markup:
    return Markup(shown(between).join(_text(child) for child in children if child is not None))


def shown(text: str) -> str:
    """Text as HTML: what steers a terminal or turns the direction of text is to be seen, as in `imagebuild logs`."""
    plain = _UNSEEN.sub(lambda found: f"\\u{ord(found.group()):04x}", harmless(text))
    return html.escape(plain.encode(errors="replace").decode())


def _text(child: Markup | str) -> str:
    return child.text if isinstance(child, Markup) else shown(child)


def _attribute(key: str, value: str | bool) -> str:  # noqa: FBT001  an attribute is there, or has a value
    name = key.rstrip("_") if key.endswith("_") else key.replace("_", "-")
    if name not in _ATTRIBUTES:
        raise ValueError(f"{name} is no attribute of these pages")
    if value is True:
        return f" {name}"
    if name == "href" and not _HERE.fullmatch(str(value)):
        raise ValueError(f"{value} leads off the page")
    return f' {name}="{shown(str(value))}"'
