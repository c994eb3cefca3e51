"""hack/lock: the versions and checksums of everything that comes from outside."""

from __future__ import annotations

import argparse
import sys

from localcluster import gobuild, gomodules, pins, places
from localcluster.pins import Pins
from localcluster.work import Failure
from supply import requirements

DESCRIPTION = """\
Lock what comes from outside, by version and checksum: Python packages (of the images, of hack/venv) by pyproject.toml,
Go modules by hack/versions.toml. Keeps what is locked as far as it fits."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="hack/lock", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing, ask nobody: do the locks fit?")
    parser.add_argument("--upgrade", action="store_true", help="take the newest Python packages that fit")
    asked = parser.parse_args()
    versions = pins.load()
    try:
        return _check(versions) if asked.check else _make(versions, upgrade=asked.upgrade)
    except Failure as failure:
        print(f"hack/lock: {failure}", file=sys.stderr)
        return failure.code


def _make(versions: Pins, *, upgrade: bool) -> int:
    for lock in requirements.LOCKS:
        requirements.make(lock, upgrade=upgrade)
    requirements.make_toolchain(versions.go_wheel)
    gomodules.make(gobuild.toolchain(versions, places.find().cache), versions)
    return 0


def _check(versions: Pins) -> int:
    found = [*requirements.check(versions.go_wheel), *gomodules.check(versions)]
    for problem in found:
        print(problem)
    if found:
        print("the locks do not fit; run hack/lock, then hack/venv", file=sys.stderr)
    return 1 if found else 0
