"""Puts the seccomp profile into a directory of the node, and sees that it stays there: `install.py PROFILE DIRECTORY`.

The file's name is a hash of its content, so that pods of two releases find the one they were made for. Profiles of
other releases are left alone: a pod that names one may be about to start.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

READY = Path("/run/installed/yes")
LOOK_EVERY_SECONDS = 30


def install(profile: bytes, directory: Path) -> None:
    """Whole or not at all: a kubelet that reads in between sees the old file or the new one."""
    target = directory / f"{hashlib.sha256(profile).hexdigest()[:16]}.json"
    if target.exists() and target.read_bytes() == profile:
        return
    new = directory / f".{target.name}.new"
    with new.open("wb") as file:
        file.write(profile)
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())
    new.rename(target)
    print(f"installed {target.name}", flush=True)


def main(profile: Path, directory: Path) -> None:
    while True:
        install(profile.read_bytes(), directory)
        READY.touch()
        time.sleep(LOOK_EVERY_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
