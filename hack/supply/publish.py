"""Images of a release: built from the commit with its time, pushed by digest, and only then given their tag."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from localcluster import gobuild
from localcluster.buildkit import Client
from localcluster.images import Image
from localcluster.pins import REPOSITORY, Pins
from localcluster.places import OPEN, Places
from localcluster.work import Failure, attempt, run, step


@dataclass(frozen=True)
class Published:
    which: str
    repository: str
    digest: str
    args: Mapping[str, str]

    @property
    def name(self) -> str:
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True)
class Registries:
    """What they say of tags, by oras, which has the user's own logins."""

    oras: Path

    def resolve(self, name: str) -> str | None:
        done = attempt(self.oras, "resolve", *plain_http(name), name, timeout=120)
        if done.returncode == 0:
            return done.stdout.decode().strip()
        said = done.stderr.decode()
        if "not found" in said:
            return None
        raise Failure(f"asking for {name}", said, "is the registry there, and are you logged in (docker login)?")

    def tag(self, image: Published, tag: str) -> None:
        run(self.oras, "tag", *plain_http(image.repository), image.name, tag, timeout=120)


def plain_http(name: str) -> tuple[str, ...]:
    """The cluster's own registry has no TLS; every other has."""
    return ("--plain-http",) if name.startswith(f"{OPEN}/") else ()


def registries(pins: Pins, where: Places) -> Registries:
    return Registries(gobuild.binary(pins, where.cache, "oras"))


def pinned(image: Image, pins: Pins, ask: Registries) -> Image:
    """With every base image by digest: those of versions.toml, the others as their tags are today."""
    args = dict(image.args)
    if image.repository.endswith("/builder") and "CREDENTIALS" not in args:
        args["GO_IMAGE"] = pins.images["go"]
    for key, name in args.items():
        if "@" not in name:
            found = ask.resolve(name)
            if not found:
                raise Failure(f"looking up {name}", "the registry has no such tag", "correct hack/versions.toml")
            args[key] = f"{name}@{found}"
    return replace(image, args=args)


def build(client: Client, image: Image, context: Path, repository: str, epoch: int) -> Published:
    """Pushed without a tag. Everything in it that has a time has the commit's: without cache, whose layers may be of
    other times, since BuildKit knows files by their content."""
    where = image.dockerfile.parent.relative_to(REPOSITORY)
    with tempfile.TemporaryDirectory() as scratch:
        metadata = Path(scratch) / "metadata.json"
        run(
            *(client.buildctl, "--addr", client.address, "build", "--progress", "plain", "--frontend", "dockerfile.v0"),
            *("--local", f"context={context}", "--local", f"dockerfile={context / where}", "--no-cache"),
            *(word for key, value in image.args.items() for word in ("--opt", f"build-arg:{key}={value}")),
            *("--opt", f"build-arg:SOURCE_DATE_EPOCH={epoch}", "--metadata-file", metadata),
            *("--output", f"type=image,name={repository},push=true,push-by-digest=true,{FORMAT}"),
            timeout=1800,
        )
        digest = json.loads(metadata.read_text())["containerimage.digest"]
    return Published(image.dockerfile.parent.name, repository, digest, image.args)


FORMAT = "rewrite-timestamp=true,oci-mediatypes=true,compression=gzip,force-compression=true"


def again(client: Client, image: Image, context: Path, published: Published, epoch: int) -> None:
    """It must be the same image."""
    with step(f"building {published.which} again"):
        second = build(client, image, context, published.repository, epoch)
    if second.digest != published.digest:
        raise Failure(
            f"building {published.which} again",
            f"it is {second.digest}, and was {published.digest}",
            "compare the layers: `oras manifest fetch` of both",
        )


def release_tag(ask: Registries, image: Published, tag: str) -> None:
    """A tag that is there already is never moved."""
    name = f"{image.repository}:{tag}"
    there = ask.resolve(name)
    if there not in (None, image.digest):
        raise Failure(f"tagging {name}", f"it is {there} already, not {image.digest}", "release another version")
    if there is None:
        ask.tag(image, tag)
