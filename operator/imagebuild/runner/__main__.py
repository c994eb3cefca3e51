"""The runner's entry: plan in, result out on every way out. Exit code 0 if the image is there, else 1.

What is imported here and by session.py delays each build. What is not needed before the daemon is on its way, or only
now and then, is imported where it is used.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from imagebuild.contract import layout, plan
from imagebuild.contract.reasons import Fault, Reason
from imagebuild.runner import log
from imagebuild.runner.problem import Problem
from imagebuild.runner.process import reap_orphans, say
from imagebuild.runner.stop import Stop

if TYPE_CHECKING:
    import argparse

    from imagebuild.contract.result import BuildResult
    from imagebuild.runner.journal import Journal

_SUCCESS = {Reason.BUILT, Reason.ALREADY_BUILT}
_PLACES = {
    "plan": layout.PLAN_FILE,
    "stop": layout.STOP_FILE,
    "work": layout.WORK_DIR,
    "result": layout.TERMINATION_LOG,
}
_ARCHIVE_SECONDS = 30.0
"""The image is there, and whoever waits for the build waits for this."""
_ARCHIVE_SECONDS_STOPPED = 8.0
"""What is left of the pod's 20 from TERM to KILL, once buildctl and the daemon have ended."""


def main(argv: list[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    defaults = SimpleNamespace(**{name: Path(place) for name, place in _PLACES.items()})
    flags = parser().parse_args(words) if words else defaults
    stop = Stop(flags.stop)
    stop.watch()
    if os.getpid() == 1:
        threading.Thread(target=reap_orphans, daemon=True).start()
    try:
        asked = plan.parse(flags.plan.read_text())
    except Exception as error:  # noqa: BLE001  whatever is wrong with it
        return _end(flags.result, flags.work, _ended(Reason.RUNNER_FAILED, f"the plan cannot be read: {error}"))
    journal = _journal(asked, flags.work)
    result = _run(asked, flags.work, stop)
    code = _end(flags.result, flags.work, result)
    # who waits for a Secret tries again every half a minute, and each time has nothing to tell
    if journal is not None and result.essentials.reason.row.fault is not Fault.WAITING:
        from imagebuild.runner.archive import archived  # noqa: PLC0415  most builds are not archived

        seconds = _ARCHIVE_SECONDS if stop.reason is None else _ARCHIVE_SECONDS_STOPPED
        _write(flags.result, flags.work, archived(asked, result, journal, flags.work, seconds))
    return code


def _journal(asked: plan.Plan, work: Path) -> Journal | None:
    """The whole log from now on, where it is to be archived. Without it the build goes on."""
    if asked.archive is None:
        return None
    from imagebuild.runner.journal import Journal  # noqa: PLC0415  as above

    try:
        journal = Journal(work)
    except OSError as error:
        say(f"the log will not be archived: {error}")
        return None
    log.keep(journal)
    return journal


def _run(asked: plan.Plan, work: Path, stop: Stop) -> BuildResult:
    try:
        from imagebuild.runner.session import run  # noqa: PLC0415 even a fault of an import is to be reported

        return run(asked, work, stop)
    except Problem as problem:
        return _ended(problem.reason, problem.message)
    except OSError as error:
        if error.errno == 28:  # noqa: PLR2004 ENOSPC
            return _ended(Reason.DISK_FULL, str(error))
        return _bug(error)
    except Exception as error:  # noqa: BLE001 the last way out
        return _bug(error)


def _end(file: Path, work: Path, result: BuildResult) -> int:
    _write(file, work, result)
    _summarize(result)
    return 0 if result.essentials.reason in _SUCCESS else layout.EXIT_FAILED


def _write(file: Path, work: Path, result: BuildResult) -> None:
    """Nothing that can go wrong here ends the runner: the exit code says something, too."""
    from imagebuild.contract.result import dump  # noqa: PLC0415

    content = dump(result).encode()
    try:
        _put(file, content)
    except OSError as error:
        import shutil  # noqa: PLC0415  for a disk that is full

        say(f"the result cannot be written, and is tried once more without BuildKit's files: {error.strerror}")
        shutil.rmtree(work / "buildkit", ignore_errors=True)
        with contextlib.suppress(OSError):
            _put(file, content)


def _put(file: Path, content: bytes) -> None:
    """Over what is there, which is never gone for a moment: whoever kills the pod gets the one or the other."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o644), "wb") as written:
        written.write(content)
        written.truncate()


def _bug(error: Exception) -> BuildResult:
    import traceback  # noqa: PLC0415

    for line in traceback.format_exc().splitlines():
        log.write(line)
    return _ended(Reason.RUNNER_FAILED, f"{type(error).__name__}: {error}")


def _ended(reason: Reason, message: str) -> BuildResult:
    from imagebuild.contract.result import BuildResult, Essentials  # noqa: PLC0415

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
    import argparse  # noqa: PLC0415 no pod gives arguments

    flags = argparse.ArgumentParser(
        prog="imagebuild.runner",
        description="Runs one build as a plan says. The defaults are the places in a build pod.",
    )
    for name, place in _PLACES.items():
        flags.add_argument(f"--{name}", type=Path, default=Path(place), help="default: %(default)s")
    return flags


def leave(code: int) -> None:
    """At once: a thread that still asks a registry would not survive the end of the interpreter below it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
