"""A directory that is pushed to a registry of a test's own, and what was said and seen on the way."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

from cli.uploadregistry import Registry
from imagebuild.cli.upload import Progress, push_directory


class Push:
    def __init__(self, home: Path, registry: Registry, host: str) -> None:
        self.registry, self.host, self.directory, self.home = registry, host, home / "source", home
        self.directory.mkdir()
        self.waited: list[float] = []
        self.progress: list[Progress] = []
        self.said: list[str] = []
        self.write("Dockerfile", b"FROM scratch\n")

    def write(self, name: str, content: bytes) -> None:
        (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
        (self.directory / name).write_bytes(content)

    def login(self, **entry: str) -> None:
        (self.home / ".docker").mkdir()
        (self.home / ".docker/config.json").write_text(json.dumps({"auths": {self.host: entry}}))

    def __call__(self, repository: str = "team/app", **more: Any) -> str:
        return push_directory(
            self.directory,
            f"{self.host}/{repository}",
            progress=self.progress.append,
            warn=self.said.append,
            environ={"HOME": str(self.home), "PATH": os.environ["PATH"]},
            sleep=self.waited.append,
            **more,
        )


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)
