"""What the kernel says of the place that a build pod has, for `imagebuild doctor`. Reads files, starts nothing."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from imagebuild import __version__
from imagebuild.contract.probe import Facts

__all__ = ["facts"]

_INT_MAX = 2**31 - 1
_MIB = 1 << 20
_LIMITS = ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes")


def facts(work: Path, root: Path = Path("/")) -> Facts:
    """`root`: what has proc and sys in it."""
    mounts = _mounts(root)
    return Facts(
        version=__version__,
        kernel=os.uname().release,
        uid_map=" ".join(_read(root / "proc/self/uid_map").partition("\n")[0].split()),
        proc_masked=any(where.startswith("/proc/") for where in mounts),
        no_new_privileges=bool(re.search(r"^NoNewPrivs:\s*1$", _read(root / "proc/self/status"), re.MULTILINE)),
        confinement=_read(root / "proc/self/attr/current").strip("\0\n "),
        max_user_namespaces=_number(root / "proc/sys/user/max_user_namespaces"),
        unprivileged_userns_clone=_number(root / "proc/sys/kernel/unprivileged_userns_clone"),
        apparmor_restricts_userns=_number(root / "proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        filesystem=mounts.get(str(work), ""),
        disk_free=min(shutil.disk_usage(work).free // _MIB, _INT_MAX),
        memory_limit=next((found for file in _LIMITS if (found := _limit(root / file)) is not None), None),
    )


def _mounts(root: Path) -> dict[str, str]:
    """Kinds of filesystems by where they are mounted."""
    lines = (line.partition(" - ") for line in _read(root / "proc/self/mountinfo").splitlines())
    return {before.split()[4]: after.split()[0] for before, found, after in lines if found}


def _limit(file: Path) -> int | None:
    """In MiB; version 1 of cgroups says a very great number where there is none."""
    found = _read(file).strip()
    return int(found) // _MIB if found.isdecimal() and int(found) // _MIB < _INT_MAX else None


def _number(file: Path) -> int | None:
    found = _read(file).strip()
    return min(int(found), _INT_MAX) if found.isdecimal() else None


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
