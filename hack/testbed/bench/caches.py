"""Group `cache`: what the branch cache is worth by its policy, beside a cache volume, and what it costs to write.

Builds are measured until their log ends: up to a second later the kubelet sees it, whatever the cache.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from localcluster.work import say
from testbed import claims, registry
from testbed.bench.apps import App, Change, layers, life
from testbed.bench.measure import Bed, Group, Row
from testbed.bench.peers import Order
from testbed.bench.sides import Side, Took, in_turn, ours
from testbed.bench.site import MODES, Site, site
from testbed.kubectl import Document

NAME = "cache"
DEFAULT = "CurrentElseBase"
_POLICIES = (DEFAULT, "Both", "Current", "None")
_VOLUME, _VOLUME_ALONE = "a volume and the branch cache", "a volume alone"
_OFF: Document = {"import": "None", "export": "Never"}
_BRANCH = (
    Change(name="new branch", files={"source/main": "branch\n"}, branch="topic"),
    Change(name="nothing changed", branch="topic"),
    Change(name="source change", files={"source/main": "again\n"}, branch="topic"),
    Change(name="nothing changed, once more", branch="topic"),
)
NO_EXPORT = "none"
_EXPORTS: dict[str, Document] = {
    "max, zstd": {"mode": "Max", "compression": "Zstd"},
    "max, gzip": {"mode": "Max", "compression": "Gzip"},
    "max, uncompressed": {"mode": "Max", "compression": "Uncompressed"},
    "min, zstd": {"mode": "Min", "compression": "Zstd"},
}


@dataclass(slots=True)
class Figures:
    took: dict[tuple[str, str], list[Took]] = field(default_factory=lambda: defaultdict(list))
    """By what was built, and the kind of cache."""
    megabytes: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Of what was exported."""


def measure(bed: Bed) -> Iterator[Row]:
    times, figures = 1 if bed.quick else 3, Figures()
    with site(bed) as here:
        for number in range(times):
            _branches(here, number, figures, quick=bed.quick)
        yield from rows_of_branches(figures)
        exported = Figures()
        for number in range(times):
            _exports(here, number, exported, quick=bed.quick)
        yield from rows_of_exports(exported)


def _branches(here: Site, number: int, figures: Figures, *, quick: bool) -> None:
    """The main branch is built once for each kind of cache; then a branch lives beside it. They take turns."""
    app = life(here.base)
    kinds = _kinds(here, number, quick=quick)
    repository = here.repository(f"branch-{number}")
    for place, change in enumerate((app.changes[0], *(_BRANCH[:2] if quick else _BRANCH))):
        if files := change.files if place else app.files:
            repository.commit(files, change.branch)
        for kind in in_turn(kinds, number, place):
            word = str([*kinds].index(kind))
            order = Order(url=repository.url, branch=change.branch, image=here.image("branch", str(number), word))
            took = kinds[kind].build(f"branch-{number}-{place}-{word}", order)
            say(f"{change.name} {number + 1}: {kind} {took.said:.2f} s, {took.status['cache']['summary']}")
            if place:
                figures.took[change.name, kind].append(took)


def _kinds(here: Site, number: int, *, quick: bool) -> dict[str, Side]:
    policies = {each: ours(here, cache={"branch": {"import": each}}) for each in _POLICIES[: 2 if quick else None]}
    if quick:
        return policies
    kubectl = here.within(MODES[0].lower())
    names = {_VOLUME: f"both-{number}", _VOLUME_ALONE: f"alone-{number}"}
    for name in names.values():
        claims.make(kubectl, name)
    return {
        **policies,
        _VOLUME: ours(here, cache={"volume": {"claimName": names[_VOLUME]}}),
        _VOLUME_ALONE: ours(here, cache={"volume": {"claimName": names[_VOLUME_ALONE]}, "branch": _OFF}),
    }


def rows_of_branches(figures: Figures) -> Iterator[Row]:
    order = (*_POLICIES, _VOLUME, _VOLUME_ALONE)
    for (what, kind), took in sorted(figures.took.items(), key=lambda each: order.index(each[0][1])):
        yield Row(
            group=NAME,
            name=what,
            column=kind,
            unit="s",
            samples=tuple(each.said for each in took),
            beside=DEFAULT if kind != DEFAULT else "",
            note=", ".join(dict.fromkeys(str(each.status["cache"]["summary"]) for each in took)),
        )


def _exports(here: Site, number: int, figures: Figures, *, quick: bool) -> None:
    app: App = layers(here.base)
    repository = here.repository(f"export-{number}")
    repository.commit(app.files)
    wanted: dict[str, Document | None] = {NO_EXPORT: None, **dict([*_EXPORTS.items()][: 1 if quick else None])}
    for kind in in_turn(wanted, number):
        image = here.image("export", str(number), str([*wanted].index(kind)))
        ref, how = f"{image}:cache", wanted[kind]
        cache: Document = {"export": [{"registry": {"ref": ref}, **how}]} if how else {"branch": _OFF}
        took = ours(here, cache=cache).build(
            f"export-{number}-{[*wanted].index(kind)}", Order(url=repository.url, branch="main", image=image)
        )
        say(f"export {number + 1}: {kind} {took.said:.2f} s, {took.parts['cache export']:.2f} s of it")
        figures.took["export", kind].append(took)
        if how:
            figures.megabytes[kind].append(_megabytes(here, ref))


def _megabytes(here: Site, ref: str) -> float:
    found = registry.manifest(here.kubectl.place, ref)
    assert found is not None, f"there is no {ref}"
    return float(sum(layer["size"] for layer in found[1]["layers"])) / 1e6


def rows_of_exports(figures: Figures) -> Iterator[Row]:
    for (what, kind), took in figures.took.items():
        yield Row(
            group=NAME,
            name=f"whole build, {what} {kind}",
            unit="s",
            samples=tuple(each.said for each in took),
            beside=f"whole build, {what} {NO_EXPORT}" if kind != NO_EXPORT else "",
        )
    for kind, megabytes in figures.megabytes.items():
        seconds = tuple(each.parts["cache export"] for each in figures.took["export", kind])
        yield Row(group=NAME, name=f"the export itself, {kind}", unit="s", samples=seconds)
        yield Row(group=NAME, name=f"what is exported, {kind}", unit="MB", samples=tuple(megabytes))


GROUP = Group(
    name=NAME,
    about="the branch cache by its policy, a cache volume, and what an export costs",
    minutes=7,
    measure=measure,
)
