"""Where things are kept and what they are called; the file other scripts read.

State goes with `hack/cluster down`. The cache stays: it took half an hour to make.
"""

from __future__ import annotations

import fcntl
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localcluster.work import Failure, say

CLUSTER = "imagebuild"
NODE = "imagebuild-control-plane"
NETWORK = "kind"  # kind's own name for it
BRIDGE = "imagebuild0"
OPEN = "registry.imagebuild.test:5001"
PRIVATE = "private.imagebuild.test:5002"
PRIVATE_USER = "builder"


@dataclass(frozen=True)
class Places:
    state: Path
    cache: Path

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def registries(self) -> Path:
        return self.state / "registries"

    @property
    def ca(self) -> Path:
        return self.registries / "ca.crt"

    @property
    def password(self) -> Path:
        return self.registries / "password"

    @property
    def cluster_env(self) -> Path:
        return self.state / "cluster.env"

    @property
    def images_env(self) -> Path:
        return self.state / "images.env"


def find(environ: Mapping[str, str] = os.environ) -> Places:
    home = Path(environ.get("HOME", "/root"))
    state = Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    return Places(state / "imagebuild", cache / "imagebuild")


def render_env(values: Mapping[str, str]) -> str:
    return "".join(f"{key}={shlex.quote(value)}\n" for key, value in values.items())


def parse_env(text: str) -> dict[str, str]:
    pairs = (word.partition("=") for line in text.splitlines() for word in shlex.split(line))
    return {key: value for key, _, value in pairs}


def write(path: Path, content: str, mode: int = 0o644) -> None:
    """Whole or not at all: a crash in the middle leaves the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    new.touch(mode)
    new.write_text(content)
    new.rename(path)


class Lock:
    """One command at a time; the kernel lets go when its holder dies, however it dies."""

    def __init__(self, places: Places) -> None:
        places.state.parent.mkdir(parents=True, exist_ok=True)
        # Beside the state directory, not in it: `down` removes that one while it holds the lock.
        self._path = places.state.with_name(places.state.name + ".lock")

    def __enter__(self) -> None:
        self._file = self._path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            say(f"another command holds {self._path} (process {holder}): waiting for it")
            fcntl.flock(self._file, fcntl.LOCK_EX)
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def __exit__(self, *_: object) -> None:
        self._file.close()


def load_env(places: Places) -> dict[str, str]:
    """What `hack/cluster up` and `hack/images` recorded."""
    if not places.cluster_env.exists():
        raise Failure("no cluster", f"{places.cluster_env} does not exist", "run hack/cluster up")
    texts = (file.read_text() for file in (places.cluster_env, places.images_env) if file.exists())
    return parse_env("".join(texts))
