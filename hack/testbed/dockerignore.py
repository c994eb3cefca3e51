"""What BuildKit's own client makes of a .dockerignore, to compare with: the program of hack/dockerignore."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Self

from localcluster import gobuild, pins, places
from testbed.place import ROOT

__all__ = ["Original"]

_SOURCE = ROOT / "hack" / "dockerignore"


class Original:
    """One process for many questions."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [_program()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)

    def paths(self, directory: Path, ignore: str) -> set[str] | None:
        """All that is sent, directories too; None where a pattern cannot be read."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"directory": str(directory), "ignore": ignore}), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        return None if "error" in answer else set(answer["paths"])


def _program() -> Path:
    what = "what BuildKit reads .dockerignore with"
    return gobuild.ours(pins.load(), places.find().cache, "dockerignore", _SOURCE, what)
