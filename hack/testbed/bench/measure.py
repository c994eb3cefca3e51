"""What a measurement is, and how it is kept: figures with where they are from, as JSON that people can read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles

from pydantic import TypeAdapter

from testbed.kubectl import Kubectl

_REACH = re.compile(r"(p50|p99|most|least|ratio) ([≤≥]) ([\d.,]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that was measured, as often as it was."""

    group: str
    name: str
    unit: str
    """ms, s, MiB; nothing where the name says what was counted."""
    samples: tuple[float, ...]
    at: int | None = None
    """How many objects there were: rows of one name that differ in this alone are a curve."""
    beside: str = ""
    """The name of the row, of the same group and the same `at`, that this one is to be compared with. The two were
    measured in one run, one after the other: sample by sample they are a pair, where there are as many."""
    reach: tuple[str, ...] = ()
    """Numbers to reach, such as "p99 ≤ 100", of p50, p99, most, least, or ratio: p50 by the p50 of `beside`."""
    column: str = ""
    """Rows with one are a table of their own, a line for each name. What they are beside is then another column."""
    note: str = ""
    """What a reader has to know to understand the figure, in a sentence."""

    def __post_init__(self) -> None:
        assert self.samples, f"{self.name}: nothing was measured"
        assert not (self.column and (self.reach or self.at)), f"{self.title}: no place for goals and numbers of objects"
        assert all(_REACH.fullmatch(each) for each in self.reach), self.reach

    @property
    def title(self) -> str:
        return f"{self.name}: {self.column}" if self.column else self.name

    @property
    def p50(self) -> float:
        return median(self.samples)

    @property
    def p99(self) -> float:
        """What 99 of 100 are as good as: of a rate, at least that much. The worst there was, where there are less than
        a hundred samples."""
        rate = self.unit.endswith("/s")
        if len(self.samples) < 100:  # noqa: PLR2004  below that it would be made up
            return min(self.samples) if rate else max(self.samples)
        return quantiles(self.samples, n=100, method="inclusive")[0 if rate else 98]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run of one group."""

    group: str
    command: str
    machine: dict[str, str]
    """When, where, and with which versions."""
    rows: tuple[Row, ...]

    def beside(self, row: Row) -> Row | None:
        """What a row is to be compared with."""
        wanted = (row.name, row.beside) if row.column else (row.beside, "")
        others = (other for other in self.rows if (other.name, other.column) == wanted and other.at == row.at)
        return next(others, None) if row.beside else None

    def ratio(self, row: Row) -> float | None:
        other = self.beside(row)
        return row.p50 / other.p50 if other is not None and other.p50 else None

    def figures(self, row: Row) -> dict[str, float | None]:
        """What is made of its samples, by the words in which numbers to reach are given."""
        return {
            "p50": row.p50,
            "p99": row.p99,
            "least": min(row.samples),
            "most": max(row.samples),
            "ratio": self.ratio(row),
        }

    def reached(self, row: Row) -> dict[str, bool]:
        """Of each number to reach, whether it was."""
        return dict(_reached(row.reach, self.figures(row)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bed:
    """Where a group measures."""

    kubectl: Kubectl
    """Of the whole cluster, with the operator of this checkout in it."""
    directory: Path
    """For its own files: configuration, logs."""
    quick: bool
    """As few samples as show that it works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    name: str
    about: str
    """What is measured, in a few words."""
    minutes: float
    """How long it takes on two cores."""
    measure: Callable[[Bed], Iterable[Row]]


def _reached(wanted: Iterable[str], values: dict[str, float | None]) -> Iterator[tuple[str, bool]]:
    for text in wanted:
        found = _REACH.fullmatch(text)
        assert found is not None
        value, bound = values[found[1]], float(found[3].replace(",", ""))
        assert value is not None, f"{text}: there is nothing to compare with"
        yield text, value <= bound if found[2] == "≤" else value >= bound


def dump(result: Result) -> str:
    """A row a line, so that a change of one is one."""
    head = {"group": result.group, "command": result.command, "machine": result.machine}
    rows = ",\n".join("  " + json.dumps(_plain(result, row), ensure_ascii=False) for row in result.rows)
    return json.dumps(head, indent=1, ensure_ascii=False)[:-2] + f',\n "rows": [\n{rows}\n ]\n}}\n'


def _plain(result: Result, row: Row) -> dict[str, object]:
    """Without what is not said, and no figure more exact than it can be; with what is made of the samples, for readers:
    it is not read back."""
    said = {key: value for key, value in asdict(row).items() if value not in ("", (), None)}
    made = {name: _short(value) for name, value in result.figures(row).items() if value is not None}
    return {**said, "unit": row.unit, **made, "samples": [_short(sample) for sample in row.samples]}


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def load(text: str) -> Result:
    return TypeAdapter(Result).validate_json(text)
