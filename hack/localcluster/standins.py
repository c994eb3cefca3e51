"""Stand-ins for the few public images the project names, for a network without public registries. Used by cli.py.

Same names, same paths, made of Debian packages and Go modules: the same Dockerfiles build with either.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from localcluster import debian, gobuild, oci
from localcluster.pins import Pins, digest
from localcluster.work import run, step

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BUILDKIT = {"buildkitd": "buildkitd", "buildctl": "buildctl", "rootlesskit": "rootlesskit", "runc": "buildkit-runc"}


def layouts(pins: Pins, cache: Path) -> dict[str, Path]:
    """Of each stand-in: its OCI layout, made now or found in the cache."""
    return {which: _cached(pins, cache, which, fill) for which, fill in FILL.items()}


def _cached(pins: Pins, cache: Path, which: str, fill: Callable[[Pins, Path, Path], dict[str, object]]) -> Path:
    programs = sorted(pins.programs[name].key for name in BUILDKIT)
    packages = [pins.suite, *pins.packages("python"), *pins.packages("node")]
    path = cache / "standins" / f"{which}-{digest([programs, packages], Path(__file__))}"
    if not path.exists():
        with tempfile.TemporaryDirectory(prefix="imagebuild-") as scratch:
            root = Path(scratch) / "root"
            config = fill(pins, cache, root)
            with step(f"packing a stand-in for {pins.images[which]}"):
                oci.make(root, path, config)
    return path


def _python(pins: Pins, cache: Path, root: Path) -> dict[str, object]:
    """python:slim has its interpreter in /usr/local/bin, calls it python too, and lets pip install."""
    run("cp", "-a", "--reflink=auto", debian.root(pins, cache, "python"), root, timeout=300)
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    for name, target in {"python": "python3", "python3": "python3", "pip": "pip3"}.items():
        (root / "usr/local/bin" / name).symlink_to(f"/usr/bin/{target}")
    for cached in root.rglob("__pycache__"):
        shutil.rmtree(cached)
    return {"Env": [PATH, "LANG=C.UTF-8"], "Cmd": ["python3"]}


def _buildkit(pins: Pins, cache: Path, root: Path) -> dict[str, object]:
    (root / "usr/bin").mkdir(parents=True)
    for name, installed in BUILDKIT.items():
        shutil.copy2(gobuild.binary(pins, cache, name), root / "usr/bin" / installed)
    return {"Env": [PATH], "Entrypoint": ["rootlesskit", "buildkitd"]}


def _busybox(pins: Pins, cache: Path, root: Path) -> dict[str, object]:
    (root / "bin").mkdir(parents=True)
    shutil.copy2(debian.root(pins, cache, "node") / "usr/bin/busybox", root / "bin/busybox")
    for applet in run(root / "bin/busybox", "--list").split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    for name in ("etc", "tmp", "root", "var", "home"):
        (root / name).mkdir()
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n")
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    return {"Env": [PATH], "Cmd": ["sh"]}


FILL: dict[str, Callable[[Pins, Path, Path], dict[str, object]]] = {
    "python": _python,
    "buildkit": _buildkit,
    "busybox": _busybox,
}
