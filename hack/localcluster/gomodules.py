"""The go.mod and go.sum of each upstream module that programs are compiled from: every dependency by its checksum.

`hack/lock` makes them from versions.toml, asking Go's checksum database; gobuild.py compiles with them and asks nobody.
They say nothing that versions.toml does not decide, so a program's key needs no word about them.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from localcluster.pins import REPOSITORY, Pins, Program
from localcluster.work import run, step

DIRECTORY = REPOSITORY / "hack" / "localcluster" / "modules"
FILES = ("go.mod", "go.sum")
LIMIT = 1800.0


def directory(program: Program) -> Path:
    return DIRECTORY / program.module.replace("/", "_")


def siblings(pins: Pins, program: Program) -> list[Program]:
    return [other for other in pins.programs.values() if other.module == program.module]


def make(go: str, pins: Pins) -> None:
    """Those that are not what versions.toml says, and no others."""
    wanted = {directory(program): program for program in pins.programs.values()}
    for path, program in wanted.items():
        if any(problems(pins, program)):
            with step(f"resolving {program.module} {program.version}"), tempfile.TemporaryDirectory() as scratch:
                _resolve(go, pins, program, Path(scratch))
                path.mkdir(parents=True, exist_ok=True)
                for name in FILES:
                    shutil.copyfile(Path(scratch) / name, path / name)
    for path in set(DIRECTORY.iterdir()) - set(wanted):
        shutil.rmtree(path)


def _resolve(go: str, pins: Pins, program: Program, path: Path) -> None:
    """A go.mod of ours that requires the upstream module and nothing else, tidy for every platform."""
    packages = [other.package for other in siblings(pins, program)]
    run(go, "mod", "init", "imagebuild.dev/tools", cwd=path)
    run(go, "mod", "edit", f"-go={pins.go_minimum}.0", cwd=path)
    if program.staging:
        _require_kubernetes(go, path, program, packages)
    else:
        run(go, "get", "-tool", *(f"{package}@{program.version}" for package in packages), cwd=path, timeout=LIMIT)
    run(go, "mod", "tidy", cwd=path, timeout=LIMIT)


def _require_kubernetes(go: str, path: Path, program: Program, packages: list[str]) -> None:
    """Kubernetes replaces its staging modules by directories, which count only in its own tree: name their releases."""
    said = run(go, "mod", "download", "-json", f"{program.module}@{program.version}", cwd=path, timeout=LIMIT)
    staged = staging_modules(Path(json.loads(said)["GoMod"]).read_text())
    run(
        *(go, "mod", "edit", f"-require={program.module}@{program.version}"),
        *(f"-replace={module}={module}@{program.staging}" for module in staged),
        *(f"-tool={package}" for package in packages),
        cwd=path,
    )


def staging_modules(go_mod: str) -> list[str]:
    return re.findall(r"^\s*(?:replace\s+)?(k8s\.io/[a-z0-9-]+)\s+=>\s+\./staging/", go_mod, re.MULTILINE)


def problems(pins: Pins, program: Program) -> Iterator[str]:
    """Where go.mod and go.sum do not say what versions.toml says of the program's module."""
    path = directory(program)
    if not all((path / name).exists() for name in FILES):
        yield f"{program.module} has no {' and '.join(FILES)}"
        return
    said = set(statements((path / "go.mod").read_text()))
    tools = {f"tool {other.package}" for other in siblings(pins, program)}
    if f"require {program.module} {program.version}" not in said:
        yield f"go.mod does not require {program.module} {program.version}"
    if tools != {one for one in said if one.startswith("tool ")}:
        yield f"go.mod has other programs of {program.module}"
    staged = {one.rpartition(" ")[2] for one in said if one.startswith("replace ")}
    if staged != ({program.staging} if program.staging else set()):
        yield f"go.mod replaces by {', '.join(sorted(staged)) or 'nothing'}, not by {program.staging or 'nothing'}"
    sums = (path / "go.sum").read_text().splitlines()
    if not any(line.startswith(f"{program.module} {program.version} h1:") for line in sums):
        yield f"go.sum has no checksum of {program.module} {program.version}"


def statements(go_mod: str) -> Iterator[str]:
    """`require a v1`, one by one, also where they stand in parentheses."""
    keyword = ""
    for line in go_mod.splitlines():
        words = line.partition("//")[0].split()
        if words[1:] == ["("]:
            keyword = words[0]
        elif words == [")"]:
            keyword = ""
        elif words:
            yield " ".join([keyword, *words] if keyword else words)


def check(pins: Pins) -> list[str]:
    """Of all programs; a directory for a module that no program is of is one problem more."""
    unknown = set(DIRECTORY.iterdir()) - {directory(program) for program in pins.programs.values()}
    found = {f"{directory(one).name}: {said}" for one in pins.programs.values() for said in problems(pins, one)}
    return [*sorted(found), *(f"{path.name}: no program is of this module" for path in sorted(unknown))]
