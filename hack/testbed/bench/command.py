"""The command: runs groups, shows their tables, and publishes them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from localcluster import places
from localcluster.work import Failure, say
from testbed import machine
from testbed.bench import files, table
from testbed.bench.groups import GROUPS
from testbed.bench.measure import Bed, Group, Result, dump
from testbed.deploy import deploy
from testbed.kubectl import Kubectl, KubectlError
from testbed.place import place


def main(arguments: list[str]) -> int:
    flags = _flags(arguments)
    directory = places.find().state / "bench"
    wanted = [group for group in GROUPS if not flags.groups or group.name in flags.groups]
    try:
        kubectl = Kubectl(place())
        deploy(kubectl, directory / "overlay")
        for group in wanted:
            say(f"{group.name}: {group.about}")
            result = run(group, Bed(kubectl=kubectl, directory=directory / group.name, quick=flags.quick))
            print(table.table(result), flush=True)
            _keep(result, directory, publish=not flags.quick)
    except (Failure, KubectlError, TimeoutError) as failure:
        print(f"hack/bench: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def run(group: Group, bed: Bed) -> Result:
    bed.directory.mkdir(parents=True, exist_ok=True)
    rows = tuple(group.measure(bed))
    command = f"hack/bench {group.name}{' --quick' if bed.quick else ''}"
    return Result(group=group.name, command=command, machine=machine.facts(bed.kubectl), rows=rows)


def _keep(result: Result, directory: Path, *, publish: bool) -> None:
    """Quick figures say that it works, not how fast it is: they are not for the page."""
    if publish:
        files.publish(result)
        say(f"written: docs/benchmarks.md, docs/benchmarks/{result.group}.json")
    else:
        path = directory / f"{result.group}.json"
        path.write_text(dump(result))
        say(f"written: {path}")


def _flags(arguments: list[str]) -> argparse.Namespace:
    lines = "\n".join(f"  {group.name:10} about {group.minutes:.0f} min: {group.about}" for group in GROUPS)
    parser = argparse.ArgumentParser(
        prog="hack/bench",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures how fast it is, and writes the tables and plots of docs/benchmarks.md, group by group.\n"
        "Needs hack/cluster up and hack/images, and a machine that does nothing else meanwhile. For control,\n"
        "scale and takeover the operator in the cluster is taken away, and others beside it do its work.",
        epilog=f"groups:\n{lines}\n\nIf one is interrupted, run it again; the figures of the others are kept.",
    )
    parser.add_argument("groups", metavar="GROUP", nargs="*", help="default: all, one by one")
    parser.add_argument("--quick", action="store_true", help="a smoke test: few samples, and docs/ stays as it is")
    flags = parser.parse_args(arguments)
    for name in flags.groups:
        if name not in (names := [group.name for group in GROUPS]):
            parser.error(f"there is no group {name}; there are: {', '.join(names)}")
    return flags
