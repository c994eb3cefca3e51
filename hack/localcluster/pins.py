"""hack/versions.toml as values. Whatever downloads, builds or names something outside the project asks here."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
VERSIONS = REPOSITORY / "hack" / "versions.toml"


@dataclass(frozen=True)
class Program:
    """One command of one Go module, and everything that decides what its binary is."""

    name: str
    module: str
    version: str
    package: str
    cgo: bool = False
    tags: tuple[str, ...] = ()
    ldflags: tuple[str, ...] = ()
    stamp: tuple[str, ...] = ()
    staging: str = ""

    @property
    def key(self) -> str:
        return digest(asdict(self))


@dataclass(frozen=True)
class Pins:
    kubernetes: str
    node_image: str
    images: dict[str, str]
    digests: dict[str, str]
    wheels_python: str
    wheels_platforms: tuple[str, ...]
    debian: dict[str, Any]
    go_minimum: str
    go_wheel: str
    previous: str
    programs: dict[str, Program]

    def packages(self, purpose: str) -> tuple[str, ...]:
        return tuple(self.debian[purpose])

    @property
    def suite(self) -> str:
        return str(self.debian["suite"])


def digest(value: object, *files: Path) -> str:
    """A short name for a value and the content of files: equal inputs, equal name."""
    sha = hashlib.sha256(json.dumps(value, sort_keys=True, default=list).encode())
    for file in files:
        sha.update(b"\0" + file.name.encode() + b"\0" + file.read_bytes())
    return sha.hexdigest()[:16]


def load(path: Path = VERSIONS) -> Pins:
    document = tomllib.loads(path.read_text())
    return Pins(
        kubernetes=document["kubernetes"]["version"],
        node_image=document["kubernetes"]["node_image"],
        images=document["images"],
        digests=document["digests"],
        wheels_python=document["wheels"]["python"],
        wheels_platforms=tuple(document["wheels"]["platforms"]),
        debian=document["debian"],
        go_minimum=document["toolchain"]["minimum"],
        go_wheel=document["toolchain"]["wheel"],
        previous=document["previous"]["commit"],
        programs={program.name: program for table in document["go"].values() for program in _programs(table)},
    )


def _programs(table: dict[str, Any]) -> list[Program]:
    return [
        Program(
            name=name,
            module=table["module"],
            version=table["version"],
            package="/".join(part for part in (table["module"], directory) if part),
            cgo=table.get("cgo", False),
            tags=tuple(table.get("tags", ())),
            ldflags=tuple(table.get("ldflags", ())),
            stamp=tuple(table.get("stamp", ())),
            staging=table.get("staging", ""),
        )
        for name, directory in table["programs"].items()
    ]
