"""What became of a probe pod, as checks that hold or do not, and whether its node can run the mode. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from imagebuild.api.config import Isolation
from imagebuild.api.quantity import amount
from imagebuild.cli.doctor.findings import Check, Finding
from imagebuild.cli.doctor.nodes import Node
from imagebuild.cli.doctor.outcome import REFUSED, Outcome
from imagebuild.cli.doctor.platforms import fix, too_old
from imagebuild.contract.probe import Facts
from imagebuild.contract.reasons import Reason

__all__ = ["Judged", "Judgement", "Needs", "Result", "Verdict", "judge"]

_IDS = 2**32 - 1
"""Of a map that maps all of them: the node's own."""
_MIB = 1 << 20


class Result(StrEnum):
    OK = "ok"
    NOT_OK = "not ok"
    WARNING = "warning"
    UNKNOWN = "-"


class Verdict(StrEnum):
    WORKS = "works"
    FAILS = "fails"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Of build pods, as Kubernetes writes it; empty where the configuration does not say."""

    memory: str = ""
    """Their limit."""
    disk: str = ""
    """Their request for ephemeral-storage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    check: Check
    result: Result
    seen: str = ""
    finding: Finding | None = None
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    mode: Isolation
    verdict: Verdict
    checks: tuple[Judged, ...]

    @property
    def troubles(self) -> tuple[Judged, ...]:
        return tuple(each for each in self.checks if each.finding is not None)


_Trouble = tuple[Check, Finding]
_PASSING = {
    Finding.QUOTA,
    Finding.NO_ROOM,
    Finding.SANDBOX,
    Finding.TIMED_OUT,
    Finding.LOST,
    Finding.IMAGE,
    Finding.BUILDER,
    Finding.DISK,
}
"""They say nothing of the node, or nothing that lasts."""
_REFUSALS = (
    ("exceeded quota", Finding.QUOTA),
    ("violates PodSecurity", Finding.POD_SECURITY),
    ("security context constraint", Finding.OPENSHIFT),
)
_DAEMON: tuple[tuple[str, Check, Finding], ...] = (
    (r"unprivileged_userns_clone", Check.NESTED, Finding.NO_NESTED_CLONE),
    (r"allows no user namespaces", Check.NESTED, Finding.NO_NESTED),
    (r"AppArmor forbids user namespaces", Check.NESTED, Finding.APPARMOR_USERNS),
    (r"seccomp profile forbids user namespaces", Check.NESTED, Finding.SECCOMP),
    (r"newuidmap gains no capability", Check.IDS, Finding.ESCALATION),
    (r"/etc/sub", Check.IDS, Finding.SUB_IDS),
    (r"mounts are forbidden", Check.MOUNTS, Finding.MOUNTS),
    (r"overlay", Check.OVERLAY, Finding.OVERLAY),
)
"""What the runner says of a daemon that does not start (runner/daemon.py), by patterns."""
_NOT_OF = {
    Isolation.USERNS: (),
    Isolation.USERNS_MASKED: (Check.PROC,),
    Isolation.ROOTLESS: (Check.USERNS, Check.PROC),
}
"""Checks of what a mode does not have."""
_MEASURED = (Check.KERNEL, Check.DISK, Check.MEMORY)
_USERNS = re.compile(r"user ?namespace|userns|hostUsers|idmap|uid_map|id-?mapp", re.IGNORECASE)
_REASONS: Mapping[str, _Trouble] = {
    Reason.UNSCHEDULABLE: (Check.SCHEDULED, Finding.NO_ROOM),
    Reason.IMAGE_PULL_FAILED: (Check.IMAGE, Finding.IMAGE),
    Reason.PROFILE_MISSING: (Check.PROFILE, Finding.PROFILE),
    Reason.CONTAINER_FAILED: (Check.STEP, Finding.STEP),
    Reason.DISK_FULL: (Check.DISK, Finding.DISK),
    Reason.OUT_OF_MEMORY: (Check.MEMORY, Finding.OUT_OF_MEMORY),
    Reason.STEP_OUT_OF_MEMORY: (Check.MEMORY, Finding.OUT_OF_MEMORY),
    Reason.UNKNOWN: (Check.STARTED, Finding.BUILDER),
    Reason.EVICTED: (Check.STEP, Finding.LOST),
    Reason.PREEMPTED: (Check.STEP, Finding.LOST),
    Reason.NODE_LOST: (Check.STEP, Finding.LOST),
    Reason.POD_LOST: (Check.STEP, Finding.LOST),
}


def judge(mode: Isolation, outcome: Outcome, node: Node, needs: Needs) -> Judgement:
    trouble = _promise(mode, outcome) or (None if outcome.built else _trouble(outcome))
    reached = _reached(trouble, outcome)
    checks = []
    for place, check in enumerate(Check):
        if (check is Check.USERNS and mode is Isolation.ROOTLESS) or (
            check is Check.PROC and mode is not Isolation.USERNS
        ):
            continue
        if trouble and check is trouble[0]:
            checks.append(_bad(check, trouble[1], outcome, node))
        elif check in _MEASURED:
            checks.append(_measured(check, outcome, node, needs))
        elif place < reached:
            checks.append(Judged(check=check, result=Result.OK, seen=_shown(check, outcome)))
        else:
            checks.append(Judged(check=check, result=Result.UNKNOWN))
    return Judgement(mode=mode, verdict=_verdict(trouble), checks=tuple(checks))


def _reached(trouble: _Trouble | None, outcome: Outcome) -> int:
    """The place of the first check of which nothing is known."""
    order = list(Check)
    if trouble is None or outcome.built:
        return len(order)
    check, finding = trouble
    if finding in (Finding.TIMED_OUT, Finding.LOST) and outcome.facts is None:
        return order.index(Check.SANDBOX if outcome.node else Check.SCHEDULED)
    if finding is Finding.NO_USERNS:  # refused before there is an image
        return order.index(Check.SANDBOX)
    if check in _MEASURED:
        return order.index(Check.NESTED if outcome.facts else Check.USERNS)
    return order.index(check)


def _verdict(trouble: _Trouble | None) -> Verdict:
    if trouble is None:
        return Verdict.WORKS
    return Verdict.UNKNOWN if trouble[1] in _PASSING else Verdict.FAILS


def _promise(mode: Isolation, outcome: Outcome) -> _Trouble | None:
    """What the mode says of the pod, and the API server has dropped without a word: the build may well succeed."""
    facts = outcome.facts
    if facts is None or mode is Isolation.ROOTLESS:
        return None
    if facts.uid_map and int(facts.uid_map.split()[-1]) >= _IDS:
        return Check.USERNS, Finding.USERNS_IGNORED
    if mode is Isolation.USERNS and facts.proc_masked:
        return Check.PROC, Finding.PROC_MASKED
    return None


def _trouble(outcome: Outcome) -> _Trouble:
    reason, message = outcome.reason, outcome.message
    if reason == REFUSED:
        return Check.ADMITTED, next((found for sign, found in _REFUSALS if sign in message), Finding.REFUSED)
    if reason == Reason.CONTAINER_NOT_STARTED:
        return _not_started(outcome)
    if reason == Reason.DAEMON_NOT_STARTED:
        return _daemon(outcome)
    if reason == Reason.TIMED_OUT:
        return (Check.STEP if outcome.facts else Check.STARTED), Finding.TIMED_OUT
    return _REASONS.get(reason, (Check.STEP, Finding.STEP))


def _not_started(outcome: Outcome) -> _Trouble:
    if _USERNS.search(outcome.message):
        return Check.USERNS, Finding.NO_USERNS
    if "sandbox" in outcome.message:
        return Check.SANDBOX, Finding.SANDBOX
    return Check.STARTED, Finding.NOT_STARTED


def _daemon(outcome: Outcome) -> _Trouble:
    rows = ((check, finding) for sign, check, finding in _DAEMON if re.search(sign, outcome.message))
    check, finding = next(rows, (Check.DAEMON, Finding.DAEMON))
    # AppArmor's profiles are `name (mode)`, SELinux' labels are not
    if finding is Finding.MOUNTS and outcome.facts and outcome.facts.confinement.endswith("(enforce)"):
        finding = Finding.APPARMOR_MOUNT
    return check, finding


def _bad(check: Check, finding: Finding, outcome: Outcome, node: Node) -> Judged:
    seen = _shown(check, outcome) if finding in (Finding.USERNS_IGNORED, Finding.PROC_MASKED) else outcome.message
    told = " ".join([fix(finding, node), *(f"({old}.)" for old in too_old(node, check))])
    return Judged(check=check, result=Result.NOT_OK, seen=seen, finding=finding, fix=told)


def _shown(check: Check, outcome: Outcome) -> str:
    facts = outcome.facts
    if check is Check.STEP and outcome.took is not None:
        return f"the build took {outcome.took.total_seconds():.0f} s"
    if facts is None:
        return ""
    told = {
        Check.IMAGE: f"version {facts.version}" if facts.version else "",
        Check.USERNS: f"uid_map {facts.uid_map}",
        Check.PROC: "parts of /proc are covered" if facts.proc_masked else "",
        Check.NESTED: _sysctls(facts),
        Check.MOUNTS: facts.confinement,
        Check.OVERLAY: f"on {facts.filesystem}" if facts.filesystem else "",
    }
    return told.get(check, "")


def _sysctls(facts: Facts) -> str:
    given = {
        "user.max_user_namespaces": facts.max_user_namespaces,
        "kernel.unprivileged_userns_clone": facts.unprivileged_userns_clone,
        "kernel.apparmor_restrict_unprivileged_userns": facts.apparmor_restricts_userns,
    }
    return ", ".join(f"{name}={value}" for name, value in given.items() if value is not None)


def _measured(check: Check, outcome: Outcome, node: Node, needs: Needs) -> Judged:
    """Known from the moment that a pod has run, whatever became of it; none of it fails a build by itself."""
    facts = outcome.facts
    finding: Finding | None = None
    seen = ""
    if check is Check.MEMORY:
        seen = f"a limit of {needs.memory}, {node.memory} allocatable" if needs.memory and node.memory else node.memory
        if needs.memory and node.memory and amount(needs.memory) > amount(node.memory):
            finding = Finding.MEMORY
    elif facts is None:
        pass
    elif check is Check.KERNEL:
        seen = facts.kernel
        finding = Finding.SANDBOXED if node.kernel and facts.kernel != node.kernel else None
    elif facts.disk_free is not None:
        seen = f"{facts.disk_free / 1024:.0f} GiB"
        if needs.disk and facts.disk_free * _MIB < amount(needs.disk):
            finding = Finding.DISK
    if finding is not None:
        return Judged(check=check, result=Result.WARNING, seen=seen, finding=finding, fix=fix(finding, node))
    return Judged(check=check, result=Result.OK if seen else Result.UNKNOWN, seen=seen)
