"""A recording as an SVG that moves by its style sheet alone, as GitHub shows it, and as plain text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

import pyte
from pyte.screens import Char

from recording.cast import COLUMNS, ROWS, Cast

_WIDTH, _HEIGHT, _MARGIN = 8.4, 18, 14
_TOGETHER, _END = 0.1, 6.0
"""Seconds: what comes within the first is one frame; the last frame stays for the second."""
_COLOURS = {"red": "#ff7b72", "green": "#7ee787", "brown": "#f2cc60", "blue": "#79c0ff", "cyan": "#76e3ea"}
_CLEARED = re.compile(r"\x1b\[H(?:\x1b\[[23]?J)+")
_GREY = "#8b949e"
_STYLE = """\
text { white-space: pre; fill: #e6edf3; font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
#film { animation: film %.2fs step-end infinite }
@media (prefers-reduced-motion: reduce) { #film { animation: none; transform: translateY(-%dpx) } }
@keyframes film { %s }
"""


def svg(cast: Cast) -> str:
    frames = list(_frames(cast))
    rows: dict[str, int] = {}
    drawn = [[rows.setdefault(row, len(rows)) if row else None for row in shown] for _, shown in frames]
    seconds = frames[-1][0] + _END
    high, wide = ROWS * _HEIGHT + 2 * _MARGIN, COLUMNS * _WIDTH + 2 * _MARGIN
    keys = " ".join(
        f"{at / seconds:.3%} {{ transform: translateY(-{number * high}px) }}" for number, (at, _) in enumerate(frames)
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high}" xml:space="preserve">',
            f"<title>{escape(cast.title)}</title>",
            f"<style>\n{_STYLE % (seconds, (len(frames) - 1) * high, keys)}</style>",
            '<rect width="100%" height="100%" rx="8" fill="#0d1117"/>',
            "<defs>",
            *(f'<text id="r{number}">{row}</text>' for row, number in rows.items()),
            "</defs>",
            f'<svg width="{wide:.0f}" height="{high}"><g id="film">',  # which shows one frame of it
            *(_frame(number * high, shown) for number, shown in enumerate(drawn)),
            "</g></svg>",
            "</svg>\n",
        ]
    )


def text(cast: Cast) -> str:
    """All that was to be seen, one below the other."""
    said = "".join(write.text for write in cast.writes)
    screen = pyte.Screen(COLUMNS, 1000)
    pyte.Stream(screen).feed(_CLEARED.sub("\r\n", said))
    lines = (line.rstrip() for line in screen.display)
    return "\n".join(line for line in lines if line != "$").strip() + "\n"


def _frames(cast: Cast) -> Iterator[tuple[float, list[str]]]:
    """When it is to be seen, and its rows, marked up."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    began, before = 0.0, [""] * ROWS
    for _, together in itertools.groupby(cast.shown(), key=lambda write: int(write.at / _TOGETHER)):
        for write in together:
            stream.feed(write.text)
            began = write.at
        shown = [_row(screen.buffer[row][column] for column in range(COLUMNS)) for row in range(ROWS)]
        if shown != before:
            yield began, shown
            before = shown


def _row(characters: Iterable[Char]) -> str:
    runs = [
        (style, "".join(character.data for character in run))
        for style, run in itertools.groupby(characters, key=lambda character: (_colour(character), character.bold))
    ]
    if runs and not runs[-1][0][1]:
        runs[-1] = (runs[-1][0], runs[-1][1].rstrip())
    return "".join(_run(words, colour, "bold" if bold else "") for (colour, bold), words in runs if words)


def _colour(character: Char) -> str:
    return "" if character.fg == "default" else _COLOURS.get(character.fg, _GREY)


def _run(words: str, colour: str, weight: str) -> str:
    marks = "".join([f' fill="{colour}"' if colour else "", f' font-weight="{weight}"' if weight else ""])
    return f"<tspan{marks}>{escape(words)}</tspan>" if marks else escape(words)


def _frame(top: float, rows: list[int | None]) -> str:
    shown = (
        f'<use href="#r{row}" x="{_MARGIN}" y="{top + _MARGIN + (line + 0.75) * _HEIGHT:g}"/>'
        for line, row in enumerate(rows)
        if row is not None
    )
    return "".join(shown)
