"""Group `builds`: whole builds, ours and those of other ways, of the same repositories on the same node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from localcluster.work import Failure, say
from testbed.bench.apps import App, large_layer, life, small_files, stages
from testbed.bench.measure import Bed, Group, Row
from testbed.bench.peers import Order
from testbed.bench.sides import BY_HAND, Side, in_turn, others, ours
from testbed.bench.site import MODES, Site, site
from testbed.bench.spent import PARTS

NAME = "builds"
_REACH = ("ratio ≤ 1",)
"""Of the time until the log ends: what comes after it is the kubelet's next look, once a second, and so chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How often an app is built; more sides cost more."""

    app: App
    ours: int
    peers: int
    modes: int
    """Of the other isolation modes."""


@dataclass(slots=True)
class Figures:
    seconds: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    """By what was built, and the side."""
    said: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    """The same, until the last line of the log."""
    parts: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    """By what was built, and the part of our time."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Sides of which a build has failed, and why: they do not go on."""


def measure(bed: Bed) -> Iterator[Row]:
    figures = Figures()
    with site(bed) as here:
        mine, *modes = (ours(here, mode) for mode in MODES)
        by_hand, *peers = others(here)
        if not bed.quick:  # whoever builds first on a node waits for images that the others then find there
            warm = replace(life(here.base), name="warm", changes=life(here.base).changes[:1])
            _build(here, warm, 0, [mine, by_hand, *peers, *modes], Figures(left_out=figures.left_out))
        for plan in _plans(here.base, quick=bed.quick):
            for number in range(plan.ours):
                sides = [mine, by_hand]
                sides += peers if number < plan.peers else []
                sides += modes if number < plan.modes else []
                _build(here, plan.app, number, sides, figures)
    yield from rows(figures, mine.name)


def _plans(base: str, *, quick: bool) -> list[Plan]:
    if quick:
        first = replace(life(base), changes=life(base).changes[:1])
        return [Plan(app=first, ours=1, peers=1, modes=1)]
    return [
        Plan(app=life(base), ours=6, peers=2, modes=2),
        Plan(app=stages(base), ours=5, peers=2, modes=0),
        Plan(app=small_files(base), ours=2, peers=1, modes=0),
        Plan(app=large_layer(base), ours=2, peers=1, modes=0),
    ]


def _build(here: Site, app: App, number: int, sides: list[Side], figures: Figures) -> None:
    """Once through the app's builds. The sides take turns, in another order each time."""
    repository = here.repository(f"{app.name}-{number}")
    repository.commit(app.files)
    for place, change in enumerate(app.changes):
        if change.files:
            repository.commit(change.files, change.branch)
        for side in in_turn(sides, number, place):
            if side.name in figures.left_out:
                continue
            word = str(sides.index(side))
            order = Order(url=repository.url, branch=change.branch, image=here.image(app.name, str(number), word))
            try:
                took = side.build(f"{app.name}-{number}-{place}-{word}", order)
            except Failure as failure:
                if side.name == BY_HAND or side.name.startswith("imagebuild"):
                    raise
                say(f"{side.name} is left out: {failure}")
                figures.left_out[side.name] = " ".join(str(failure).split())
                continue
            figures.seconds[change.name, side.name].append(took.seconds)
            figures.said[change.name, side.name].append(took.said)
            say(f"{change.name} {number + 1}: {side.name} {took.seconds:.2f} s, its log {took.said:.2f} s")
            if side is sides[0]:
                for part, seconds in took.parts.items():
                    figures.parts[change.name, part].append(seconds)


def rows(figures: Figures, mine: str) -> Iterator[Row]:
    """Each side beside the hand-written pod; then our own time in parts."""
    whats = [*dict.fromkeys(what for what, _ in figures.seconds)]

    def place(built: tuple[str, str]) -> tuple[object, ...]:
        what, side = built
        return whats.index(what), side != mine, side != BY_HAND, not side.startswith("imagebuild"), side

    for what, side in sorted(figures.seconds, key=place):
        yield _beside_by_hand(what, side, figures.seconds[what, side])
        if side in (mine, BY_HAND):
            said, reach = figures.said[what, side], _REACH if side == mine else ()
            yield _beside_by_hand(f"{what}, until its log ends", side, said, reach=reach)
    for side, why in figures.left_out.items():
        built = sum(len(samples) for (_, each), samples in figures.seconds.items() if each == side)
        yield Row(group=NAME, name=f"{side}: builds until one failed", unit="", samples=(built,), note=why)
    for what in dict.fromkeys(what for what, _ in figures.parts):
        for part in PARTS:
            samples = figures.parts[what, part]
            yield Row(group=NAME, name=what, column=part, unit="s", samples=tuple(samples))


def _beside_by_hand(what: str, side: str, samples: list[float], *, reach: tuple[str, ...] = ()) -> Row:
    beside = f"{what}: {BY_HAND}" if side != BY_HAND else ""
    return Row(group=NAME, name=f"{what}: {side}", unit="s", samples=tuple(samples), beside=beside, reach=reach)


GROUP = Group(
    name=NAME,
    about="whole builds, beside a hand-written pod, buildah and Docker-in-Docker",
    minutes=19,
    measure=measure,
)
