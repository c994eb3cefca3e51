"""The page: one table for each group, between markers in a text that people write. hack/generate makes it again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from testbed.bench import plot
from testbed.bench.measure import Result, Row

_SECTION = re.compile(r"(<!-- hack/bench (?P<group>[a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEAD = "| what | samples | p50 | p99 | least…most | beside | to reach |\n|---|---|---|---|---|---|---|\n"


def page(text: str, results: Mapping[str, Result]) -> str:
    """The text with the newest figures of each group that it has a place for."""
    return _SECTION.sub(lambda found: found[1] + _section(found["group"], results) + found[3], text)


def groups(text: str) -> list[str]:
    """Those that it has a place for."""
    return [found["group"] for found in _SECTION.finditer(text)]


def table(result: Result) -> str:
    return _HEAD + "".join(f"| {' | '.join(_cells(result, row))} |\n" for row in result.rows)


def _section(group: str, results: Mapping[str, Result]) -> str:
    result = results.get(group)
    if result is None:
        return f"Not measured yet: `hack/bench {group}`.\n"
    pictures = "".join(f"\n![{group}: {title}](benchmarks/{name})\n" for name, title in plot.titles(result).items())
    where = ", ".join(result.machine.values())
    raw = f"Raw figures: [{group}.json](benchmarks/{group}.json)"
    return f"`{result.command}`: {where}. {raw}\n\n{table(result)}{pictures}"


def _cells(result: Result, row: Row) -> Iterator[str]:
    unit = f" {row.unit}" if row.unit else ""
    said = f"{row.name}{f', {row.at:,} objects' if row.at else ''}{f'. {row.note}' if row.note else ''}"
    yield said.replace("|", "\\|")
    yield f"{len(row.samples):,}"
    yield figure(row.p50) + unit
    single = len(row.samples) == 1
    yield "" if single else figure(row.p99) + unit
    yield "" if single else f"{figure(min(row.samples))}…{figure(max(row.samples))}{unit}"
    ratio = result.ratio(row)
    yield "" if ratio is None else f"{ratio:.2f} times {row.beside}"
    yield "; ".join(f"{text}: {'yes' if met else '**no**'}" for text, met in result.reached(row).items())


def figure(value: float) -> str:
    """Three digits, and no more than the figure has."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"  # noqa: PLR2004
