"""hack/soak: what the disruptive tests do, for as long as one likes, with figures at the end."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import mean

from localcluster import places
from localcluster.work import Failure, say
from testbed import churn, kills
from testbed.deploy import deploy
from testbed.kubectl import Kubectl, KubectlError
from testbed.machine import description
from testbed.place import place
from testbed.space import namespaces


def main(arguments: list[str]) -> int:
    """0 where nothing was found wrong."""
    flags = _parser().parse_args(arguments)
    directory = places.find().state / "soak"
    directory.mkdir(parents=True, exist_ok=True)
    try:
        kubectl = Kubectl(place())
        deploy(kubectl, directory / "overlay")
        print(description(kubectl), flush=True)
        well = _kills(kubectl, directory, flags) if flags.verb == "kills" else _churn(kubectl, directory, flags)
    except (Failure, KubectlError, TimeoutError) as failure:
        print(f"hack/soak: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    say(f"logs of the operator and of kwok: {directory}")
    return 0 if well else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hack/soak",
        description="Long tests on the cluster of hack/cluster, with the operator of this checkout beside it. "
        "Needs hack/cluster up and hack/images; disturbs everything else that uses the operator.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    kill = verbs.add_parser("kills", help="kill the operator again and again while builds run")
    kill.add_argument("--builds", type=int, default=1000, help="on a simulated node (default: %(default)s)")
    kill.add_argument("--real", type=int, default=40, help="on real nodes (default: %(default)s)")
    kill.add_argument("--kills", type=int, default=200, help="default: %(default)s")
    kill.add_argument("--pause", type=float, default=4, help="seconds between kills, at most (default: %(default)s)")
    kill.add_argument("--replicas", type=int, default=1, help="of the operator (default: %(default)s)")
    kill.add_argument("--seed", type=int, default=1, help="decides the moments (default: %(default)s)")
    come = verbs.add_parser("churn", help="create, finish and delete builds for an hour; memory meanwhile")
    come.add_argument("--minutes", type=float, default=60, help="default: %(default)s")
    come.add_argument("--rate", type=int, default=5, help="builds per second (default: %(default)s)")
    come.add_argument("--kept", type=int, default=500, help="finished ones that stay (default: %(default)s)")
    come.add_argument("--every", type=float, default=60, help="seconds between samples (default: %(default)s)")
    return parser


def _kills(kubectl: Kubectl, directory: Path, flags: argparse.Namespace) -> bool:
    plan = kills.Plan(
        builds=flags.builds,
        real=flags.real,
        kills=flags.kills,
        longest_pause=flags.pause,
        seed=flags.seed,
        replicas=flags.replicas,
    )
    with namespaces(kubectl, "soak", "a", "b", "real") as spaces:
        report = kills.builds_under_kills(kubectl, spaces, directory, plan)
    print(" builds    pods  kills  on their way  seconds  lost  doubled  wrong")
    way = f"{min(report.unfinished_at_kills)}…{max(report.unfinished_at_kills)}, {mean(report.unfinished_at_kills):.0f}"
    print(
        f"{report.builds:7} {report.pods:7} {report.kills:6} {way:>13} {report.seconds:8.0f} "
        f"{len(report.lost):5} {len(report.doubled):8} {len(report.wrong):6}"
    )
    found = [*report.lost, *report.doubled, *report.wrong]
    print("\n".join(found), end="\n" if found else "")
    return not found


def _churn(kubectl: Kubectl, directory: Path, flags: argparse.Namespace) -> bool:
    plan = churn.Plan(minutes=flags.minutes, rate=flags.rate, kept=flags.kept, every=flags.every)
    print(" minute  created  there  unfinished    MiB  starts")
    sample = None
    with namespaces(kubectl, "soak", "churn") as (space,):
        for sample in churn.churn(kubectl, space, directory, plan):
            print(
                f"{sample.minute:7.1f} {sample.created:8} {sample.there:6} {sample.unfinished:11} "
                f"{sample.resident:6.0f} {sample.starts:7}",
                flush=True,
            )
    return sample is not None and (sample.unfinished, sample.starts) == (0, 1)
