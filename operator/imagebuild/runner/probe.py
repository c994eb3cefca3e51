"""The entry of `imagebuild doctor`'s pods: the runner with a context made here, and the facts after its result."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from pathlib import Path

from imagebuild.contract import plan, probe
from imagebuild.contract.codec import DecodeError
from imagebuild.runner import __main__ as runner
from imagebuild.runner.facts import facts

_STATIC = "buildctl"
"""Of the builder image's programs, one that needs no libraries."""


def main(argv: list[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    flags = runner.parser().parse_args(words)
    seen = facts(flags.work)
    code = runner.main([*words, f"--plan={_prepared(flags.plan, flags.work)}"])
    with flags.result.open("a") as result:
        result.write("\n" + probe.dump(seen))
    return code


def _prepared(given: Path, work: Path) -> Path:
    """The plan, with a context. One that cannot be read is the runner's to report."""
    context = work / "probe"
    context.mkdir()
    try:
        asked = plan.parse(given.read_text())
    except (OSError, DecodeError):
        return given
    if found := shutil.which(_STATIC):
        shutil.copy(found, context / probe.PROGRAM)
    made = work / "probe.json"
    made.write_text(plan.dump(dataclasses.replace(asked, volume=plan.Mount(name="probe", path=str(context)))))
    return made


if __name__ == "__main__":
    runner.leave(main())
