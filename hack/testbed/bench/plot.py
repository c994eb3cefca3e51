"""The plots: small SVG, by hand, since two kinds are all there is. Each brings its background, in both schemes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from html import escape

from testbed.bench.measure import Result, Row

_NAMES = ("back", "text", "muted", "one", "two", "three")
SCHEMES = {
    "light": dict(zip(_NAMES, ("#ffffff", "#1f2328", "#59636e", "#0969da", "#bc4c00", "#1a7f37"), strict=True)),
    "dark": dict(zip(_NAMES, ("#0d1117", "#e6edf3", "#9198a1", "#58a6ff", "#f0883e", "#3fb950"), strict=True)),
}
_WIDTH, _LINE, _EDGE, _VALUES = 760, 44, 14, 110
_HEIGHT, _LEFT, _TOP, _BOTTOM = 260, 64, 36, 40
_SERIES = ("one", "two", "three")


def plots(result: Result) -> dict[str, str]:
    """File names, and what is to be in them."""
    titles = titles_and_rows(result)
    return {
        name: _svg(title, *(_curves(rows) if rows[0].at is not None else _bars(rows)))
        for name, (title, rows) in titles.items()
    }


def titles(result: Result) -> dict[str, str]:
    return {name: title for name, (title, _) in titles_and_rows(result).items()}


def titles_and_rows(result: Result) -> dict[str, tuple[str, list[Row]]]:
    """Rows that have something to be compared with, a plot a unit; and curves, a plot a unit."""
    compared = {each.title for row in result.rows if (other := result.beside(row)) for each in (row, other)}
    sizes: dict[str, set[int]] = {}
    for row in result.rows:
        if row.at is not None:
            sizes.setdefault(row.name, set()).add(row.at)
    found: dict[str, tuple[str, list[Row]]] = {}
    for row in result.rows:
        unit = row.unit.replace("/", " per ")
        if len(sizes.get(row.name, ())) > 1:
            name, title = f"{result.group}-curve-{_file(unit)}.svg", f"{row.unit}, p50, by number of objects"
        elif row.title in compared and row.at is None:
            name, title = f"{result.group}-{_file(unit)}.svg", f"{row.unit}: p50, and the line from least to p99"
        else:
            continue
        found.setdefault(name, (title, []))[1].append(row)
    return found


def _file(unit: str) -> str:
    return "-".join(unit.lower().replace("%", "percent").split()) or "count"


def _svg(title: str, height: int, inside: Iterable[str]) -> str:
    dark = _colours("dark")
    size = f'width="{_WIDTH}" height="{height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" {size} role="img">\n'
        "<!-- Made by hack/generate. -->\n"
        f"<title>{escape(title)}</title>\n"
        f"<style>text {{ font: 13px sans-serif }}\n{_colours('light')}\n"
        f"@media (prefers-color-scheme: dark) {{ {dark} }}</style>\n"
        f'<rect class="back" {size} rx="6"/>\n'
        f"{_text(14, 22, title, 'muted')}\n" + "\n".join(inside) + "\n</svg>\n"
    )


def _colours(scheme: str) -> str:
    return " ".join(f".{name} {{ fill: {colour}; stroke: {colour} }}" for name, colour in SCHEMES[scheme].items()) + (
        " text { stroke: none !important } polyline { fill: none !important; stroke-width: 2px }"
    )


def _text(x: float, y: float, text: str, colour: str = "text", anchor: str = "start") -> str:
    return f'<text class="{colour}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _bars(rows: list[Row]) -> tuple[int, Iterator[str]]:
    most = max(row.p99 for row in rows) or 1
    scale = (_WIDTH - _EDGE - _VALUES) / most

    def draw() -> Iterator[str]:
        for number, row in enumerate(rows):
            y = _TOP + _LINE * number
            colour = "one" if row.beside else "two"
            yield _text(_EDGE, y + 12, row.title)
            width = row.p50 * scale
            yield f'<rect class="{colour}" x="{_EDGE}" y="{y + 18}" width="{width:.1f}" height="14" opacity="0.75"/>'
            yield _line(_EDGE + min(row.samples) * scale, y + 25, _EDGE + row.p99 * scale, y + 25, "text")
            yield _text(_EDGE + max(row.p50, row.p99) * scale + 8, y + 30, f"{row.p50:.3g} {row.unit}", "muted")

    return _TOP + _LINE * len(rows) + 12, draw()


def _line(x: float, y: float, to_x: float, to_y: float, colour: str) -> str:
    return f'<line class="{colour}" x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"/>'


def _curves(rows: list[Row]) -> tuple[int, Iterator[str]]:
    """Both axes logarithmic, the upright one over at least a decade, so that a little does not look like much."""
    names = list(dict.fromkeys(row.name for row in rows))
    across = _axis([row.at or 1 for row in rows], _LEFT, _WIDTH - 40)
    values = [max(row.p50, 1e-6) for row in rows]
    up = _axis([*values, max(values) / 10], _HEIGHT - _BOTTOM, _TOP + 18 * len(names) + 8)

    def draw() -> Iterator[str]:
        for size in sorted({row.at or 1 for row in rows}):
            yield _text(across(size), _HEIGHT - 14, f"{size:,}", "muted", "middle")
            yield _line(across(size), _HEIGHT - _BOTTOM, across(size), _HEIGHT - _BOTTOM + 5, "muted")
        for number, (name, colour) in enumerate(zip(names, itertools.cycle(_SERIES), strict=False)):
            yield _text(14, _TOP + 18 * number + 8, name, colour)
            points = [(across(row.at or 1), up(max(row.p50, 1e-6)), row) for row in rows if row.name == name]
            yield f'<polyline class="{colour}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)}"/>'
            for x, y, row in points:
                yield f'<circle class="{colour}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
                yield _text(x, y - 8, f"{row.p50:.3g}", colour, "middle")

    return _HEIGHT, draw()


class _axis:  # noqa: N801  a function with a memory
    def __init__(self, values: list[float] | list[int], start: float, end: float) -> None:
        low, high = math.log10(min(values)), math.log10(max(values))
        self._low, self._start = low, start
        self._step = (end - start) / (high - low) if high > low else 0

    def __call__(self, value: float) -> float:
        return self._start + (math.log10(value) - self._low) * self._step
