"""The version before this one, installed as it installs itself: for tests of upgrades.

Its checkout comes out of git, and its own hack/images and hack/deploy run with a state directory beside the cluster's:
what they record is not taken for this version's.
"""

from __future__ import annotations

import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from localcluster import places
from localcluster.pins import REPOSITORY
from localcluster.work import Failure, attempt, run

_OWN = ("buildkit", "images.env", "overlay")
"""What a version writes into its state directory."""


@dataclass(frozen=True)
class Previous:
    tree: Path
    state: Path

    @property
    def overlay(self) -> Path:
        """A kustomization with all of it, once it is deployed."""
        return places.find({"XDG_STATE_HOME": str(self.state)}).state / "overlay"

    def hack(self, command: str) -> None:
        words = (sys.executable, self.tree / "hack" / command)
        run(*words, env={"XDG_STATE_HOME": str(self.state)}, timeout=1200)


def checked_out(commit: str, directory: Path) -> Previous:
    """With its images in the registry."""
    _fetch(commit)
    packed = directory / "commit.tar"
    run("git", "archive", "--format=tar", "--output", packed, commit, cwd=REPOSITORY)
    with tarfile.open(packed) as archive:
        archive.extractall(directory / "tree", filter="data")
    found = Previous(directory / "tree", directory / "state")
    _share(found.state)
    found.hack("images")
    return found


def _fetch(commit: str) -> None:
    """A clone may be shallow."""
    if attempt("git", "cat-file", "-e", f"{commit}^{{commit}}", cwd=REPOSITORY).returncode:
        run(
            *("git", "fetch", "--depth=1", "origin", commit),
            cwd=REPOSITORY,
            timeout=300,
            next_step=f"clone the whole history: hack/versions.toml names {commit} as the version before",
        )


def _share(state: Path) -> None:
    """The cluster, its registries and its lock are the same ones."""
    here = places.find()
    there = places.find({"XDG_STATE_HOME": str(state)})
    if not here.cluster_env.exists():
        raise Failure("no cluster", f"{here.cluster_env} does not exist", "run hack/cluster up")
    there.state.mkdir(parents=True)
    for each in (*here.state.iterdir(), here.state.with_name(f"{here.state.name}.lock")):
        if each.name not in _OWN:
            (there.state.parent / each.relative_to(here.state.parent)).symlink_to(each)
