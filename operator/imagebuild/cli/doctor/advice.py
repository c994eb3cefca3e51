"""What the nodes of a cluster can run, all of them together: the setting to choose, and how the command ends. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from imagebuild.api.config import Isolation
from imagebuild.cli.doctor.judge import Judgement, Verdict
from imagebuild.cli.doctor.nodes import NodeClass
from imagebuild.cli.exits import Exit

__all__ = ["Advice", "Looked", "advise"]

_STRONGEST_FIRST = tuple(Isolation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A class of nodes after its pods."""

    number: int
    nodes: NodeClass
    judgements: tuple[Judgement, ...]

    def verdict(self, mode: Isolation) -> Verdict:
        return next((each.verdict for each in self.judgements if each.mode is mode), Verdict.UNKNOWN)

    @property
    def strongest(self) -> Isolation | None:
        return next((mode for mode in _STRONGEST_FIRST if self.verdict(mode) is Verdict.WORKS), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    isolation: Isolation | None
    """The strongest that all classes run of which anything is known."""
    lines: tuple[str, ...]
    exit_code: Exit


def advise(
    looked: Sequence[Looked],
    configured: Isolation,
    elsewhere: Mapping[str, Isolation] | None = None,
    tried: Sequence[Isolation] = _STRONGEST_FIRST,
) -> Advice:
    """`configured`: the mode of builds in this namespace, by which the command ends. `elsewhere`: those of policies."""
    known = [each for each in looked if any(j.verdict is not Verdict.UNKNOWN for j in each.judgements)]
    works_on = {mode: [each for each in known if each.verdict(mode) is Verdict.WORKS] for mode in tried}
    best = next((mode for mode in tried if known and len(works_on[mode]) == len(known)), None)
    alone = len(tried) == 1
    lines = [
        *_of_configured(looked, configured, alone=alone),
        *([_setting(best, configured, every=len(known) == len(looked))] if known and not alone else []),
        *(_stronger(works_on, best) if not alone else []),
        *_of_policies(known, elsewhere or {}),
    ]
    return Advice(isolation=best, lines=tuple(lines), exit_code=_exit([each.verdict(configured) for each in looked]))


def _exit(verdicts: Sequence[Verdict]) -> Exit:
    if Verdict.FAILS in verdicts:
        return Exit.CONFIGURATION
    return Exit.INFRASTRUCTURE if Verdict.UNKNOWN in verdicts or not verdicts else Exit.OK


def _of_configured(looked: Sequence[Looked], mode: Isolation, *, alone: bool) -> list[str]:
    failing = [each for each in looked if each.verdict(mode) is Verdict.FAILS]
    unknown = [each for each in looked if each.verdict(mode) is Verdict.UNKNOWN]
    name = str(mode) if alone else f"{mode}, the mode in force,"
    return [
        *([f"{name} does not work on {_named(failing)}."] if failing else []),
        *([f"Whether {name} works on {_named(unknown)} is not known."] if unknown else []),
        *([f"{name} works on all classes."] if alone and looked and not failing and not unknown else []),
        *([] if looked else ["There is no node that takes pods."]),
    ]


def _setting(best: Isolation | None, configured: Isolation, *, every: bool) -> str:
    classes = "all classes" if every else "all classes of which anything is known"
    if best is None:
        return f"No mode works on {classes}: do what is said above, or keep builds from nodes that run none (a taint)."
    if best is configured:
        return f"Leave it at isolation: {best}, the strongest mode that {classes} run."
    now = f"in force is {configured}; imagebuild policy explain says by which key"
    return f"Set isolation: {best} in the operator's configuration ({now}): the strongest mode that {classes} run."


def _stronger(works_on: Mapping[Isolation, Sequence[Looked]], best: Isolation | None) -> list[str]:
    """How to have more on the nodes that can."""
    for mode, classes in works_on.items():
        if mode is best:
            return []
        if classes:
            pools = [each.nodes.chosen.pool.split("=", 1) for each in classes if each.nodes.chosen.pool]
            where = f"{{{pools[0][0]}: {pools[0][1]}}}" if pools else "a label of those nodes"
            policy = f'namespaces: [{{match: "team-*", isolation: {mode}}}]'
            told = f"{_named(classes).capitalize()} can run {mode}. For builds that are to have it: {policy}"
            return [f"{told}, and in their spec.pod.nodeSelector {where}."]
    return []


def _of_policies(known: Sequence[Looked], elsewhere: Mapping[str, Isolation]) -> list[str]:
    lines = []
    for match, mode in elsewhere.items():
        failing = [each for each in known if each.verdict(mode) is Verdict.FAILS]
        if failing:
            told = f"namespaces[{match}] has {mode}, which does not work on {_named(failing)}"
            lines.append(f"{told}: builds there need other nodes (spec.pod.nodeSelector), or another mode.")
    return lines


def _named(classes: Sequence[Looked]) -> str:
    word = "class" if len(classes) == 1 else "classes"
    return f"{word} {', '.join(str(each.number) for each in classes)}"
