"""What BuildKit's own client makes of a .dockerignore, to compare with: the program of hack/dockerignore."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Self

from localcluster import gobuild, pins, places
from localcluster.pins import digest
from localcluster.work import run, step
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
    cache = places.find().cache
    path = cache / "bin" / f"dockerignore-{digest('dockerignore', *sorted(_SOURCE.iterdir()))}" / "dockerignore"
    if not path.exists():
        go = gobuild.toolchain(pins.load(), cache)
        path.parent.mkdir(parents=True, exist_ok=True)
        with step("compiling what BuildKit reads .dockerignore with"):
            words = (go, "build", "-trimpath", "-o", path.with_name("new"), ".")
            run(*words, cwd=_SOURCE, env={"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}, timeout=600)
        path.with_name("new").rename(path)
    return path
