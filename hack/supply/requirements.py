"""Python packages by version and hash: what each lock holds, how it is made, whether it agrees with pyproject.toml.

The check needs no network: it reads the metadata of what hack/venv has installed from the same lock.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from localcluster.gobuild import TOOLCHAIN
from localcluster.pins import REPOSITORY
from localcluster.work import run, step

HEADER = "hack/lock"
IMAGES = REPOSITORY / "operator" / "images"
IN_IMAGES = {"python_version": "3.13", "python_full_version": "3.13.0", "sys_platform": "linux"}
EVERYWHERE = ("--universal", "--python-version", "3.11", "--fork-strategy", "fewest")
IN_DEBIAN = ("--python-version", "3.13", "--python-platform", "x86_64-manylinux_2_28")
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>.*?))? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


@dataclass(frozen=True)
class Lock:
    path: Path
    extras: tuple[str, ...]
    target: tuple[str, ...]
    environment: Mapping[str, str]
    """What markers are asked about, where it is not this Python."""
    groups: tuple[str, ...] = ()
    beside: tuple[Path, ...] = ()
    """Locks whose versions this one takes over."""


OPERATOR = Lock(IMAGES / "operator" / "requirements.txt", ("operator",), IN_DEBIAN, IN_IMAGES)
CLI = Lock(IMAGES / "cli" / "requirements.txt", ("cli",), IN_DEBIAN, IN_IMAGES, beside=(OPERATOR.path,))
DEVELOPMENT = Lock(
    *(REPOSITORY / "hack" / "requirements.txt", ("operator", "cli"), EVERYWHERE, {}),
    groups=("dev", "docs"),
    beside=(OPERATOR.path, CLI.path),
)
LOCKS = (OPERATOR, CLI, DEVELOPMENT)
"""In this order: the images decide, the tests run what the images run."""


@dataclass(frozen=True)
class Pin:
    version: str
    marker: str
    hashes: int


def make(lock: Lock, *, upgrade: bool) -> None:
    words = (
        *lock.target,
        *(word for extra in lock.extras for word in ("--extra", extra)),
        *(word for group in lock.groups for word in ("--group", group)),
        *(word for other in lock.beside for word in ("--constraint", str(other.relative_to(REPOSITORY)))),
        *(("--upgrade",) if upgrade else ()),
    )
    _compile(lock.path, *words, "pyproject.toml")


def make_toolchain(wheel: str) -> None:
    """Of the one wheel that versions.toml names for where Go is missing."""
    _compile(TOOLCHAIN, "--no-deps", *EVERYWHERE, "-", stdin=wheel)


def _compile(path: Path, *words: str, stdin: str = "") -> None:
    """By uv, which keeps what is locked already as far as it fits. No package index is named in what it writes."""
    name = str(path.relative_to(REPOSITORY))
    quiet = ("--quiet", "--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command", HEADER)
    command = (Path(sys.prefix) / "bin" / "uv", "pip", "compile", "--generate-hashes", *quiet, "--output-file", name)
    with step(f"resolving {name}"):
        run(*command, *words, stdin=stdin, cwd=REPOSITORY, timeout=600)


def parse(text: str) -> tuple[dict[str, Pin], list[str]]:
    """The pins of a lock, and the lines that have no business there, such as an index or a package without a hash."""
    pins: dict[str, Pin] = {}
    strange, name = [], ""
    for line in text.splitlines():
        if found := PIN.match(line):
            name = canonicalize_name(found["name"])
            pins[name] = Pin(found["version"], found["marker"] or "", 0)
        elif HASH.match(line) and name:
            pins[name] = Pin(pins[name].version, pins[name].marker, pins[name].hashes + 1)
        elif not line.lstrip().startswith("#"):
            strange.append(line)
    return pins, strange


def asked(lock: Lock, project: Mapping[str, object]) -> list[Requirement]:
    """What pyproject.toml wants of this lock."""
    table, groups = project["project"], project["dependency-groups"]
    assert isinstance(table, dict)
    assert isinstance(groups, dict)
    lines = [*table["dependencies"]]
    lines += [line for extra in lock.extras for line in table["optional-dependencies"][extra]]
    lines += [line for group in lock.groups for line in groups[group]]
    return [Requirement(line) for line in lines]


def problems(lock: Lock, text: str, wanted: list[Requirement]) -> Iterator[str]:
    pins, strange = parse(text)
    yield from (f"a line that is no pin with hashes: {line.strip()}" for line in strange)
    yield from (f"{name} has no hash" for name, pin in pins.items() if not pin.hashes)
    here = {name: pin for name, pin in pins.items() if applies(pin.marker, lock.environment)}
    needed = closure(wanted, lock.environment)
    for name, requirements in needed.items():
        if name not in here:
            yield f"{name} is missing, wanted: {requirements[0]}"
        for requirement in requirements if name in here else ():
            if not requirement.specifier.contains(here[name].version, prereleases=True):
                yield f"{name} {here[name].version} is locked, wanted: {requirement}"
    yield from (f"{name} is wanted by nothing" for name in sorted(here.keys() - needed.keys()))


def closure(wanted: list[Requirement], environment: Mapping[str, str]) -> dict[str, list[Requirement]]:
    """Of each package that these need, directly or not: what is asked of it. By what is installed here."""
    found: dict[str, list[Requirement]] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(requirement, "") for requirement in wanted]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({**environment, "extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        found.setdefault(name, []).append(requirement)
        for part in ("", *requirement.extras):
            if (name, part) not in seen:
                seen.add((name, part))
                waiting += [(further, part) for further in _requires(name)]
    return found


def _requires(name: str) -> list[Requirement]:
    try:
        return [Requirement(line) for line in metadata.requires(name) or ()]
    except metadata.PackageNotFoundError:  # it is missing in the lock, too, which is said there
        return []


def applies(marker: str, environment: Mapping[str, str]) -> bool:
    return not marker or Marker(marker).evaluate(dict(environment))


def disagreements(texts: Mapping[str, str]) -> Iterator[str]:
    """A package that two locks have in two versions."""
    versions: dict[str, dict[str, str]] = {}
    for where, text in texts.items():
        for name, pin in parse(text)[0].items():
            versions.setdefault(name, {})[where] = pin.version
    for name, places in versions.items():
        if len(set(places.values())) > 1:
            yield f"{name}: " + ", ".join(f"{version} in {where}" for where, version in places.items())


def check(wheel: str) -> list[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    texts = {str(lock.path.relative_to(REPOSITORY)): lock.path.read_text() for lock in LOCKS}
    each = [
        f"{where}: {problem}"
        for lock, (where, text) in zip(LOCKS, texts.items(), strict=True)
        for problem in problems(lock, text, asked(lock, project))
    ]
    pins, strange = parse(TOOLCHAIN.read_text())
    named = [f"{name}=={pin.version}" for name, pin in pins.items() if pin.hashes]
    toolchain = [f"{TOOLCHAIN.name} does not lock {wheel}, and only it"] if named != [wheel] or strange else []
    return [*each, *disagreements(texts), *toolchain]
