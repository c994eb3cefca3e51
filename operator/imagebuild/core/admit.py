"""Whose turn it is: limits, first come first served, fairness between namespaces, and the rules of groups.

| verdict      | of                                    | because                                                       |
|--------------|---------------------------------------|---------------------------------------------------------------|
| `Starting`   | one that waits                        | there is room, and its group lets it                          |
| `Queued`     | one that waits                        | there is no room, or its group is busy                        |
| `Superseded` | one that waits, or is under way       | a newer build of its group has policy `Latest`                |
| `QueueFull`  | one that has just begun to wait       | as many wait already as the limits allow                      |

A build that is overtaken ends before the newer one starts: the newer one waits until every older one of its group is
over. So an older build never moves a tag back, whatever the order in which they were applied, as long as the newer
ImageBuild exists.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from types import MappingProxyType

from imagebuild.api.config import Limits
from imagebuild.api.spec import Policy
from imagebuild.contract.reasons import Reason

Key = tuple[str, str]
"""Namespace and name of an ImageBuild."""

Group = tuple[str, str]
"""Namespace and name of a group."""


Claim = tuple[str, str]
"""Namespace and name of a PersistentVolumeClaim."""


class Progress(Enum):
    WAITING = auto()
    UNDER_WAY = auto()
    """It has had its turn, and is not over."""
    DONE = auto()
    """It has succeeded. One that has failed plays no part any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A build of a group."""

    key: Key
    since: datetime
    """When its run was queued."""
    policy: Policy
    order: int | None = None
    cancel_running: bool = False
    progress: Progress
    alive: bool = False
    """It has a pod that has not ended."""
    run: int = 1

    @property
    def age(self) -> tuple[int, datetime, Key]:
        """Greater is newer."""
        return (-1 if self.order is None else self.order, self.since, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A build that could start."""

    key: Key
    since: datetime
    group: Group | None = None
    claim: Claim | None = None
    """Of its cache volume, which one build at a time may use."""
    new: bool = False
    """Nothing is written of its run yet."""
    run: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    reason: Reason
    message: str = ""
    run: int = 0
    """Which run is to end; the next one is judged anew."""


_QUEUED = Verdict(reason=Reason.QUEUED)
_START = Verdict(reason=Reason.STARTING)


def admit(
    waiting: Iterable[Candidate],
    running: Iterable[Key],
    limits: Limits,
    groups: Mapping[Group, tuple[Member, ...]],
    told: Collection[Key] = (),
    *,
    claims: Mapping[Claim, Key] = MappingProxyType({}),
) -> dict[Key, Verdict]:
    """For each that waits, and for those under way that must end. `groups` holds the groups of those that wait, `told`
    who has been told to wait already, `claims` who uses which."""
    candidates = list(waiting)
    verdicts, ready = _by_group(candidates, groups)
    occupied, ready = _by_claim(ready, claims)
    verdicts |= occupied
    starting = _turns(ready, running, limits)
    verdicts |= {candidate.key: _START if candidate.key in starting else _QUEUED for candidate in ready}
    queued = [each for each in candidates if verdicts[each.key].reason is Reason.QUEUED]
    return verdicts | _too_many(queued, limits, told)


def _by_group(
    waiting: list[Candidate], groups: Mapping[Group, tuple[Member, ...]]
) -> tuple[dict[Key, Verdict], list[Candidate]]:
    """Verdicts that come from groups alone, and who is left: at most one of each group that builds one at a time."""
    verdicts: dict[Key, Verdict] = {}
    blocked: dict[Key, str] = {}
    for (_, name), members in groups.items():
        verdicts |= _overtaken(name, members)
        blocked |= dict.fromkeys(_not_yet(members), name)
    ready = []
    for candidate in waiting:
        if candidate.key in verdicts:
            continue
        if candidate.key in blocked:
            told = f"waits for its turn in the group {blocked[candidate.key]}"
            verdicts[candidate.key] = Verdict(reason=Reason.QUEUED, message=told)
        else:
            ready.append(candidate)
    return verdicts, ready


def _by_claim(ready: list[Candidate], claims: Mapping[Claim, Key]) -> tuple[dict[Key, Verdict], list[Candidate]]:
    """Who waits for a cache volume, and who is left: the one that waits longest for each that is free. After groups, so
    that nobody who waits in a group keeps a volume from another of it."""
    taken, verdicts, left = dict(claims), dict[Key, Verdict](), list[Candidate]()
    for candidate in sorted(ready, key=lambda each: (each.since, each.key)):
        user = taken.setdefault(candidate.claim, candidate.key) if candidate.claim else candidate.key
        if user == candidate.key:
            left.append(candidate)
        else:
            told = f"waits for its cache volume, which {user[1]} uses or has asked for before"
            verdicts[candidate.key] = Verdict(reason=Reason.QUEUED, message=told)
    return verdicts, left


def _overtaken(group: str, members: tuple[Member, ...]) -> dict[Key, Verdict]:
    newest = max((each for each in members if each.policy is Policy.LATEST), key=lambda each: each.age, default=None)
    if newest is None:
        return {}
    told = Verdict(reason=Reason.SUPERSEDED, message=f"the ImageBuild {newest.key[1]} of the group {group} is newer")
    return {each.key: replace(told, run=each.run) for each in members if _ends(each, newest, members)}


def _ends(each: Member, newest: Member, members: tuple[Member, ...]) -> bool:
    """What is under way goes on, also between two attempts, unless a newer one has got ahead of it meanwhile."""
    if each.age >= newest.age or each.progress is Progress.DONE:
        return False
    if each.progress is Progress.WAITING or newest.cancel_running:
        return True
    ahead = (other for other in members if other.age > each.age and other.progress is not Progress.WAITING)
    return not each.alive and any(other.policy is Policy.LATEST for other in ahead)


def _not_yet(members: tuple[Member, ...]) -> set[Key]:
    """Those that wait for others of their group: for what is under way, and for who is older and waits."""
    busy = {each.key for each in members if each.progress is Progress.UNDER_WAY}
    waiting = sorted((each for each in members if each.progress is Progress.WAITING), key=lambda each: each.age)
    return {
        each.key
        for place, each in enumerate(waiting)
        if each.policy is not Policy.PARALLEL and (place > 0 or busy - {each.key})
    }


def _turns(ready: Iterable[Candidate], running: Iterable[Key], limits: Limits) -> set[Key]:
    """The namespace with the fewest running goes first, within it whoever waits longest."""
    used = Counter(namespace for namespace, _ in running)
    if used.total() >= limits.running:
        return set()
    lines: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in sorted(ready, key=lambda each: (each.since, each.key), reverse=True):
        lines[candidate.key[0]].append(candidate)
    chosen: set[Key] = set()
    while used.total() < limits.running:
        open_lines = [name for name, line in lines.items() if line and used[name] < limits.running_per_namespace]
        if not open_lines:
            break
        namespace = min(open_lines, key=lambda name: (used[name], lines[name][-1].since, name))
        chosen.add(lines[namespace].pop().key)
        used[namespace] += 1
    return chosen


def _too_many(queued: list[Candidate], limits: Limits, told: Collection[Key]) -> dict[Key, Verdict]:
    """Only who comes new is turned away: nobody who was told to wait loses the place."""
    full: dict[Key, Verdict] = {}
    if len(queued) <= min(limits.queued, limits.queued_per_namespace):
        return full
    total, each = 0, Counter[str]()
    new = {candidate.key for candidate in queued if candidate.new and candidate.key not in told}
    for candidate in sorted(queued, key=lambda each: (each.key in new, each.since, each.key)):
        namespace = candidate.key[0]
        if candidate.key in new and total >= limits.queued:
            full[candidate.key] = _full(candidate, f"{limits.queued:,} builds wait in the cluster")
        elif candidate.key in new and each[namespace] >= limits.queued_per_namespace:
            waiting = f"{limits.queued_per_namespace:,} builds wait in the namespace {namespace}"
            full[candidate.key] = _full(candidate, waiting)
        else:
            total += 1
            each[namespace] += 1
    return full


def _full(candidate: Candidate, told: str) -> Verdict:
    return Verdict(reason=Reason.QUEUE_FULL, message=told, run=candidate.run)
