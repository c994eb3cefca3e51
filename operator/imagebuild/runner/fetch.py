"""The source: a commit from git, or a mounted directory, as a directory that becomes the build context.

Fetched here and not by BuildKit, so that git's settings and credentials never come near a RUN step.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from imagebuild.contract.plan import Mount, Plan
from imagebuild.contract.reasons import Reason
from imagebuild.runner import git, mounted
from imagebuild.runner.problem import Problem
from imagebuild.runner.source import Place, Source

__all__ = ["fetch"]


def fetch(plan: Plan, work: Path, env: Mapping[str, str], check: Callable[[], None]) -> Source:
    """Raises Problem; `check` is asked meanwhile."""
    directory = work / "source"
    directory.mkdir()
    place = Place(directory=directory, scratch=work / "fetching", env=env, check=check)
    if plan.git is not None:
        return git.checkout(plan.git, place, base_wanted=_base_wanted(plan))
    if plan.http is not None:
        # slow to import, and most plans do without
        from imagebuild.runner.download import fetch_archive  # noqa: PLC0415

        return fetch_archive(plan.http, place)
    if plan.directory is not None:
        return Source(directory=directory, branch="default", base="default", content=_copy(plan.directory, directory))
    return Source(directory=directory, branch="default", base="default")


def _base_wanted(plan: Plan) -> bool:
    return plan.cache is not None and plan.cache.base is None


def _copy(mount: Mount, directory: Path) -> str:
    """A ConfigMap is mounted as symbolic links into a hidden directory; BuildKit is to see files. Their digest."""
    found = mounted.files(mount)
    if not found:
        raise Problem(
            Reason.CONFIG_MAP_MISSING, f"the ConfigMap {mount.name} does not exist, or is empty (source.configMap)"
        )
    sha = hashlib.sha256()
    for key, file in found.items():
        shutil.copyfile(file, directory / key)
        sha.update(f"{key}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\0".encode())
    return sha.hexdigest()
