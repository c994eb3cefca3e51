"""Volumes of claims that a build writes to, and the one on which BuildKit keeps its state from build to build.

That one is used by one build at a time. The operator sees to it; the lock here holds also for what the operator cannot
see, such as the last seconds of the pod of an ImageBuild that was deleted.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from imagebuild.contract.plan import Mount
from imagebuild.contract.reasons import Reason
from imagebuild.runner.problem import Problem
from imagebuild.runner.process import say

__all__ = ["check", "hold"]

_LOOK_EVERY_SECONDS = 0.2


def check(claims: Iterable[Mount], writable: Callable[[str], bool] = lambda path: os.access(path, os.W_OK)) -> None:
    """Raises Problem: BuildKit itself would say so only at the end, and of a path that nobody knows."""
    for claim in claims:
        if not writable(claim.path):
            told = f"the volume of the claim {claim.name} is not writable for the group 1000 of build pods"
            raise Problem(Reason.VOLUME_NOT_WRITABLE, told)


@contextmanager
def hold(claim: Mount | None, check: Callable[[], None]) -> Iterator[Path | None]:
    """The directory of BuildKit's state, and nobody else's until the end. Raises what `check` raises while it waits."""
    if claim is None:
        yield None
        return
    with (Path(claim.path) / "imagebuild.lock").open("w") as lock:
        said = False
        while not _locked(lock.fileno()):
            if not said:
                say(f"waits for the build that uses the cache volume {claim.name}")
            said = True
            check()
            time.sleep(_LOOK_EVERY_SECONDS)
        yield Path(claim.path) / "buildkit"


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
