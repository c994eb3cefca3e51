"""The page: one table for each group, between markers in a text that people write. hack/generate makes it again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from testbed.bench import plot
from testbed.bench.measure import Result, Row

_SECTION = re.compile(r"(<!-- hack/bench (?P<group>[a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEAD = "| what | samples | p50 | p99 | least…most | compared with | goal |\n|---|---|---|---|---|---|---|\n"


def page(text: str, results: Mapping[str, Result]) -> str:
    """The text with the newest figures of each group that it has a place for."""
    return _SECTION.sub(lambda found: found[1] + _section(found["group"], results) + found[3], text)


def groups(text: str) -> list[str]:
    """Those that it has a place for."""
    return [found["group"] for found in _SECTION.finditer(text)]


def table(result: Result) -> str:
    plain = [row for row in result.rows if not row.column]
    crossed = [row for row in result.rows if row.column]
    tables = [_HEAD + "".join(map(_line, (_cells(result, row) for row in plain)))] if plain else []
    return "\n".join(tables + ([_crossed(crossed)] if crossed else []))


def _crossed(rows: list[Row]) -> str:
    """The p50 of each name in each column, and notes."""
    columns = dict.fromkeys(row.column for row in rows)
    found = {(row.name, row.column): row for row in rows}

    def cells(name: str) -> Iterator[str]:
        yield name
        for column in columns:
            row = found.get((name, column))
            yield "" if row is None else f"{_short(row)}{f' ({row.note})' if row.note else ''}"

    head = _line(("p50", *columns)) + "|" + "---|" * (1 + len(columns)) + "\n"
    return head + "".join(_line(cells(name)) for name in dict.fromkeys(row.name for row in rows))


def _short(row: Row) -> str:
    """Its p50, without the noughts of less than a tenth of a second."""
    if row.unit == "s" and row.p50 < 0.1:  # noqa: PLR2004
        return f"{figure(1000 * row.p50)} ms"
    return _said(row, row.p50)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |\n"


def _section(group: str, results: Mapping[str, Result]) -> str:
    result = results.get(group)
    if result is None:
        return f"Not measured yet: `hack/bench {group}`.\n"
    pictures = "".join(f"\n![{group}: {title}](benchmarks/{name})\n" for name, title in plot.titles(result).items())
    where = ", ".join(result.machine.values())
    raw = f"Raw figures: [{group}.json](benchmarks/{group}.json)"
    return f"`{result.command}`: {where}. {raw}\n\n{table(result)}{pictures}"


def _cells(result: Result, row: Row) -> Iterator[str]:
    yield f"{row.name}{f', {row.at:,} objects' if row.at else ''}{f'. {row.note}' if row.note else ''}"
    yield f"{len(row.samples):,}"
    yield _said(row, row.p50)
    single = len(row.samples) == 1
    yield "" if single else _said(row, row.p99)
    yield "" if single else f"{figure(min(row.samples))}…{_said(row, max(row.samples))}"
    ratio = result.ratio(row)
    yield "" if ratio is None else f"{ratio:.3f} times {row.beside}"
    yield "; ".join(f"{text}: {'yes' if met else '**no**'}" for text, met in result.reached(row).items())


def _said(row: Row, value: float) -> str:
    return figure(value) + (f" {row.unit}" if row.unit else "")


def figure(value: float) -> str:
    """Three digits, and no more than the figure has."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"  # noqa: PLR2004
