"""Where figures are kept, and the files that hack/generate makes of them."""

from __future__ import annotations

from pathlib import Path

from testbed.bench import plot, table
from testbed.bench.measure import Result, dump, load
from testbed.place import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
FIGURES = ROOT / "docs" / "benchmarks"


def results() -> dict[str, Result]:
    """The newest published run of each group."""
    return {path.stem: load(path.read_text()) for path in sorted(FIGURES.glob("*.json"))}


def made() -> dict[Path, str]:
    """The page and its plots, by the figures that are there."""
    known = results()
    plots = {FIGURES / name: text for result in known.values() for name, text in plot.plots(result).items()}
    return {PAGE: table.page(PAGE.read_text(), known), **plots}


def publish(result: Result) -> None:
    FIGURES.mkdir(exist_ok=True)
    (FIGURES / f"{result.group}.json").write_text(dump(result))
    for old in set(FIGURES.glob(f"{result.group}-*.svg")) - made().keys():
        old.unlink()
    for path, text in made().items():
        path.write_text(text)
