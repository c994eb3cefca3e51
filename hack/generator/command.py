"""hack/generate: writes what the code says into the files that others read."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from generator.files import CHART, MANIFESTS, ROOT, SECCOMP_MODULE, files, outdated
from generator.seccomp import DEFAULT
from localcluster import gobuild, pins, places
from localcluster.work import Failure, step


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="hack/generate",
        description="Make the generated files again: CRD, docs/reference.md, tests/golden, seccomp profile, chart.",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; list files that differ and exit 1")
    parser.add_argument("--seccomp", action="store_true", help="first make hack/seccomp/default.json; needs Go")
    asked = parser.parse_args()
    if asked.check:
        return _check()
    try:
        if asked.seccomp:
            _make_default()
    except Failure as failure:
        print(f"hack/generate: {failure}", file=sys.stderr)
        return 1
    return _write()


def _check() -> int:
    different = outdated()
    for path in different:
        print(path.relative_to(ROOT))
    if different:
        print("not what the code says; run hack/generate", file=sys.stderr)
    return 1 if different else 0


def _write() -> int:
    wanted = files()
    different = outdated()
    for path in different:
        print(path.relative_to(ROOT))
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path])
        else:
            path.unlink()
    if any(path == SECCOMP_MODULE or (MANIFESTS in path.parents and CHART not in path.parents) for path in different):
        # the profile's name is in the golden files, and manifests are in the chart: this process knows the old ones
        os.execv(sys.executable, [sys.executable, sys.argv[0]])
    return 0


def _make_default() -> None:
    go = gobuild.toolchain(pins.load(), places.find().cache)
    with step("asking containerd for its seccomp profile"):
        done = subprocess.run([go, "run", "."], cwd=ROOT / "hack" / "seccomp", capture_output=True, check=False)
    if done.returncode:
        raise Failure("hack/seccomp", done.stderr.decode(), "is the Go module proxy reached?")
    DEFAULT.write_bytes(done.stdout)
