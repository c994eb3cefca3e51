"""The source: a commit from git, or a mounted directory, as a directory that becomes the build context.

Fetched here and not by BuildKit, so that git's settings and credentials never come near a RUN step.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from imagebuild.contract.plan import Mount, Plan
from imagebuild.contract.reasons import Reason
from imagebuild.runner import git, mounted
from imagebuild.runner.problem import Problem
from imagebuild.runner.source import Source

__all__ = ["fetch"]


def fetch(plan: Plan, work: Path, env: Mapping[str, str], check: Callable[[], None]) -> Source:
    """Raises Problem; `check` is asked while git runs."""
    directory = work / "source"
    directory.mkdir()
    if plan.git is not None:
        place = git.Place(directory=directory, scratch=work / "git", env=env, check=check)
        return git.checkout(plan.git, place, base_wanted=_base_wanted(plan))
    if plan.directory is not None:
        _copy(plan.directory, directory)
    return Source(directory=directory, branch="default", base="default")


def _base_wanted(plan: Plan) -> bool:
    return plan.cache is not None and plan.cache.base is None


def _copy(mount: Mount, directory: Path) -> None:
    """A ConfigMap is mounted as symbolic links into a hidden directory; BuildKit is to see files."""
    found = mounted.files(mount)
    if not found:
        raise Problem(
            Reason.CONFIG_MAP_MISSING, f"the ConfigMap {mount.name} does not exist, or is empty (source.configMap)"
        )
    for key, file in found.items():
        shutil.copyfile(file, directory / key)
