"""The whole of it: nodes to classes, a pod of each mode on one node of each, and what came of them judged."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from imagebuild.api.config import Isolation, OperatorConfig
from imagebuild.cli.doctor import configured, looking, nodes, pods
from imagebuild.cli.doctor.advice import Advice, Looked, advise
from imagebuild.cli.doctor.judge import Needs, judge
from imagebuild.cli.doctor.nodes import ANYWHERE, Classes, NodeClass
from imagebuild.cli.doctor.pods import Probe
from imagebuild.cli.problem import Problem
from imagebuild.core.isolation import isolation

__all__ = ["Examined", "Wanted", "examine"]

_UNLISTED = "Nodes may not be listed: one is looked at, of the scheduler's choice. Ask for the right to list nodes."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    namespace: str
    config: OperatorConfig
    only: str | None = None
    """A mode that is tried alone."""
    patience: float
    tainted: bool = False

    @property
    def configured(self) -> Isolation:
        """By which it is judged."""
        return Isolation(self.only) if self.only else isolation(self.config, self.namespace)

    @property
    def modes(self) -> tuple[Isolation, ...]:
        """The strongest first."""
        return (self.configured,) if self.only else tuple(Isolation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    looked: tuple[Looked, ...]
    left_out: tuple[str, ...]
    advice: Advice
    notes: tuple[str, ...]


def examine(
    source: looking.Pods,
    wanted: Wanted,
    run: str,
    tell: Callable[[str], None],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Examined:
    """`run`: makes the names of its pods new. Raises Problem."""
    found, notes = _classes(source, wanted)
    config = pods.effective(wanted.config, wanted.namespace)
    lanes = [
        [_probe(wanted, run, number, each, mode) for mode in wanted.modes] for number, each in enumerate(found.found, 1)
    ]
    became, left = looking.look(
        source, lanes, partial(pods.manifest, config=config), tell=tell, clock=clock, sleep=sleep
    )
    resources = config.pod.resources
    needs = Needs(
        memory=(resources.limits or {}).get("memory", ""), disk=(resources.requests or {}).get("ephemeral-storage", "")
    )
    looked = tuple(
        Looked(
            number=number,
            nodes=each,
            judgements=tuple(judge(probe.mode, became[probe.name], each.chosen, needs) for probe in lane),
        )
        for number, (each, lane) in enumerate(zip(found.found, lanes, strict=True), 1)
    )
    policies = {each.match: each.isolation for each in wanted.config.namespaces if each.isolation and not wanted.only}
    return Examined(
        looked=looked,
        left_out=found.left_out,
        advice=advise(looked, wanted.configured, policies, wanted.modes),
        notes=(*notes, *(f"A pod could not be deleted: {each}" for each in left)),
    )


def _classes(source: looking.Pods, wanted: Wanted) -> tuple[Classes, list[str]]:
    listed = configured.nodes(source)
    if listed is None:
        return Classes(found=(ANYWHERE,)), [_UNLISTED]
    found = nodes.classes(nodes.node(each, tainted=wanted.tainted) for each in listed)
    if not found.found:
        raise Problem("\n".join(["There is no node that takes pods:", *found.left_out]), "--tainted minds no taints.")
    return found, []


def _probe(wanted: Wanted, run: str, number: int, nodes: NodeClass, mode: Isolation) -> Probe:
    return Probe(
        name=f"{pods.DOCTOR}-{run}-{number}-{mode.lower()}",
        namespace=wanted.namespace,
        mode=mode,
        node=nodes.chosen.name,
        tainted=wanted.tainted,
        patience=wanted.patience,
    )
