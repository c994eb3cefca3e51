"""What a Docker engine of ours changes on the machine, remembered before and put back afterwards. Used by engine.py."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path

from localcluster.places import BRIDGE, write
from localcluster.work import attempt

COMMANDS = ("iptables", "ip6tables")
TABLES = ("filter", "nat", "raw", "mangle")
# The engine and a kubelet in a privileged container write these; they are the host's.
SYSCTLS = ("net/ipv4/ip_forward", "vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
           "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes")  # fmt: skip


@dataclass(frozen=True)
class Before:
    rules: dict[str, str]
    sysctls: dict[str, str]


def remember(file: Path) -> None:
    """Once: after a crash the machine's state is no longer the one before us."""
    if file.exists():
        return
    rules = {f"{c} {t}": attempt(c, "-t", t, "-S").stdout.decode() for c in COMMANDS for t in TABLES}
    sysctls = {name: _sysctl(name).read_text().strip() for name in SYSCTLS if _sysctl(name).exists()}
    write(file, json.dumps(asdict(Before(rules, sysctls))))


def restore(file: Path) -> None:
    if not file.exists():
        return
    before = Before(**json.loads(file.read_text()))
    for name, old in before.rules.items():
        command, table = name.split()
        now = attempt(command, "-t", table, "-S").stdout.decode()
        for arguments in undo(old, now):
            attempt(command, "-t", table, *arguments)
    for name, value in before.sysctls.items():
        if _sysctl(name).read_text().strip() != value:
            _sysctl(name).write_text(value)
    attempt("ip", "link", "delete", BRIDGE)
    file.unlink()


def undo(before: str, now: str) -> list[list[str]]:
    """Arguments for iptables that take away what `now` has of a Docker engine and `before` had not."""
    old = set(before.splitlines())
    lines = [line for line in now.splitlines() if line not in old]
    mine = [line for line in lines if "DOCKER" in line or BRIDGE in line]
    rules = [["-D", *shlex.split(line)[1:]] for line in mine if line.startswith("-A ")]
    chains = [line.split()[1] for line in mine if line.startswith("-N ")]
    policies = [line for line in before.splitlines() if line.startswith("-P ") and line not in now.splitlines()]
    # A table that did not exist before had the kernel's policy.
    fresh = [] if before.strip() else [f"-P {line.split()[1]} ACCEPT" for line in lines if line.startswith("-P ")]
    return [
        *rules,
        *(["-F", chain] for chain in chains),
        *(["-X", chain] for chain in chains),
        *(line.split() for line in policies + fresh),
    ]


def _sysctl(name: str) -> Path:
    return Path("/proc/sys") / name
