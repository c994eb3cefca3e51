"""The runner's entry: plan in, result out on every way out. Exit code 0 if the image is there, else 1."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import threading
import traceback
from pathlib import Path

from imagebuild.contract import layout, plan
from imagebuild.contract.codec import DecodeError
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import BuildResult, Essentials, dump
from imagebuild.runner.problem import Problem
from imagebuild.runner.process import reap_orphans, say
from imagebuild.runner.stop import Stop

_SUCCESS = {Reason.BUILT, Reason.ALREADY_BUILT}


def main(argv: list[str] | None = None) -> int:
    flags = parser().parse_args(argv)
    stop = Stop(flags.stop)
    stop.watch()
    if os.getpid() == 1:
        threading.Thread(target=reap_orphans, daemon=True).start()
    result = _run(flags.plan, flags.work, stop)
    flags.result.write_text(dump(result))
    _summarize(result)
    return 0 if result.essentials.reason in _SUCCESS else layout.EXIT_FAILED


def _run(plan_file: Path, work: Path, stop: Stop) -> BuildResult:
    try:
        from imagebuild.runner.session import run  # noqa: PLC0415 even a fault of an import is to be reported

        return run(plan.parse(plan_file.read_text()), work, stop)
    except Problem as problem:
        return _ended(problem.reason, problem.message)
    except DecodeError as error:
        return _ended(Reason.RUNNER_FAILED, f"the plan cannot be read: {error}")
    except OSError as error:
        if error.errno == 28:  # noqa: PLR2004 ENOSPC
            return _ended(Reason.DISK_FULL, str(error))
        return _bug(error)
    except Exception as error:  # noqa: BLE001 the last way out
        return _bug(error)


def _bug(error: Exception) -> BuildResult:
    traceback.print_exc()
    return _ended(Reason.RUNNER_FAILED, f"{type(error).__name__}: {error}")


def _ended(reason: Reason, message: str) -> BuildResult:
    return BuildResult(essentials=Essentials(reason=reason, message=message))


def _summarize(result: BuildResult) -> None:
    said, details = result.essentials, result.details
    say(f"{said.reason}{': ' + said.message if said.message else ''}")
    for image in details.images:
        say(f"{image}@{said.digest}" if said.digest else image)
    if details.steps_total:
        say(f"{details.steps_cached} of {details.steps_total} steps from the cache")
    spent = dataclasses.asdict(details.timings)
    if spent["total"]:
        say(", ".join(f"{name} {seconds:.1f} s" for name, seconds in spent.items()))


def parser() -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(
        prog="imagebuild.runner",
        description="Runs one build as a plan says. The defaults are the places in a build pod.",
    )
    flags.add_argument("--plan", type=Path, default=Path(layout.PLAN_FILE), help="default: %(default)s")
    flags.add_argument("--stop", type=Path, default=Path(layout.STOP_FILE), help="default: %(default)s")
    flags.add_argument("--work", type=Path, default=Path(layout.WORK_DIR), help="default: %(default)s")
    flags.add_argument("--result", type=Path, default=Path(layout.TERMINATION_LOG), help="default: %(default)s")
    return flags


def leave(code: int) -> None:
    """At once: a thread that still asks a registry would not survive the end of the interpreter below it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
