"""What a release was made of and by what: an in-toto statement with SLSA's provenance. It is not signed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from localcluster.pins import REPOSITORY
from supply.publish import Published

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://imagebuild.dev/hack-release/v1"
BY_HAND = "https://imagebuild.dev/hack-release/v1/by-hand"
LOCKS = (
    "hack/versions.toml",
    "operator/images/operator/requirements.txt",
    "operator/images/cli/requirements.txt",
    "operator/images/builder/credentials/go.mod",
    "operator/images/builder/credentials/go.sum",
)
"""What names everything that comes from outside into the images."""


@dataclass(frozen=True, kw_only=True)
class Run:
    version: str
    commit: str
    epoch: int
    source: str
    """Where the commit can be had; empty where nobody said."""
    stand_ins: bool
    """Its base images are not the public ones of their names."""
    builder: str
    programs: Mapping[str, str]
    started: str
    finished: str


def statement(of: Run, images: Iterable[Published], files: Iterable[Path]) -> dict[str, Any]:
    images = list(images)
    subjects = [{"name": image.repository, "digest": _sha256(image.digest)} for image in images]
    return {
        "_type": STATEMENT,
        "subject": [*subjects, *({"name": file.name, "digest": {"sha256": file_sum(file)}} for file in files)],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "version": of.version,
                    "standIns": of.stand_ins,
                    "repositories": {image.which: image.repository for image in images},
                },
                "internalParameters": {
                    "sourceDateEpoch": of.epoch,
                    "buildArguments": {image.which: dict(image.args) for image in images},
                },
                "resolvedDependencies": [_commit(of), *_bases(images), *map(_lock, LOCKS)],
            },
            "runDetails": {
                "builder": {"id": of.builder, "version": dict(of.programs)},
                "metadata": {"startedOn": of.started, "finishedOn": of.finished},
            },
        },
    }


def _commit(of: Run) -> dict[str, Any]:
    uri = {"uri": f"git+{of.source}@{of.commit}"} if of.source else {}
    return {"name": "source", **uri, "digest": {"gitCommit": of.commit}}


def _bases(images: list[Published]) -> list[dict[str, Any]]:
    """Each image that another one was built from, once."""
    names = {name for image in images for name in image.args.values() if "@sha256:" in name}
    return [{"uri": package_url(name), "digest": _sha256(name.partition("@")[2])} for name in sorted(names)]


def package_url(name: str) -> str:
    tagged, _, digest = name.partition("@")
    head, slash, last = tagged.rpartition("/")
    repository, _, tag = last.partition(":")
    where = quote(head + slash + repository, safe="/")
    return f"pkg:oci/{repository}@{quote(digest)}?repository_url={where}&tag={tag}"


def _lock(path: str) -> dict[str, Any]:
    return {"name": path, "digest": {"sha256": file_sum(REPOSITORY / path)}}


def _sha256(digest: str) -> dict[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}


def file_sum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def public(remote: str) -> str:
    """A remote's address that may be published: over HTTPS and without anybody's name or password."""
    parts = urlsplit(remote)
    if parts.scheme != "https" or not parts.hostname:
        return ""
    port = f":{parts.port}" if parts.port else ""
    return f"https://{parts.hostname}{port}{parts.path}"
