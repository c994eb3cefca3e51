"""hack/images: the images of builder, operator and command line, from the work tree into the open registry.

A tag says what went in (version and content), so what the registry has is not built again.
"""

from __future__ import annotations

import argparse
import platform
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from localcluster import buildkit, credentials, engine, oci, pins, places
from localcluster.engine import Engine
from localcluster.pins import REPOSITORY, Pins, digest
from localcluster.places import OPEN, Lock, Places
from localcluster.registries import REGISTRIES
from localcluster.work import Failure, run, say, step

SOURCES = REPOSITORY / "operator"
LOCAL = f"127.0.0.1:{REGISTRIES[0].port}"


@dataclass(frozen=True)
class Image:
    repository: str
    tag: str
    dockerfile: Path
    args: Mapping[str, str]

    @property
    def name(self) -> str:
        return f"{OPEN}/{self.repository}:{self.tag}"


def main(arguments: list[str]) -> int:
    description = "Build the project's images into the cluster's registry; print what they are called."
    argparse.ArgumentParser(prog="hack/images", description=description).parse_args(arguments)
    try:
        values = build(pins.load(), places.find())
    except Failure as failure:
        print(f"hack/images: {failure}", file=sys.stderr)
        return failure.code
    print(places.render_env(values), end="")
    return 0


def build(versions: Pins, where: Places) -> dict[str, str]:
    mirror = places.load_env(where)["IMAGEBUILD_MIRROR"]
    docker = engine.running(where)
    if docker is None:
        raise Failure("building images", "the Docker engine does not answer", "run hack/cluster up")
    with Lock(where):
        builder, operator, cli = wanted = images(versions, where, mirror)
        resolved = _push(wanted, versions, where, docker, mirror)
        values = {
            "IMAGEBUILD_BUILDER_IMAGE": resolved[builder.name],
            "IMAGEBUILD_OPERATOR_IMAGE": resolved[operator.name],
            "IMAGEBUILD_CLI_IMAGE": resolved[cli.name],
            "IMAGEBUILD_WHEELS_IMAGE": operator.args.get("WHEELS", ""),
        }
        places.write(where.images_env, places.render_env(values))
    return values


def images(versions: Pins, where: Places, mirror: str) -> list[Image]:
    """Builder, operator and command line, and what each is built with; behind our mirror that is made here."""
    bases = _bases(versions, mirror)
    helpers = {"CREDENTIALS": credentials.image(versions, where.cache, LOCAL)} if mirror else {}
    builder = _image("builder", _builder_sources(), {**bases, **helpers})
    wheels = {which: _wheels(which, versions, where.cache) if mirror else "" for which in ("operator", "cli")}
    return [builder, *(_program(which, bases["PYTHON_IMAGE"], found) for which, found in wheels.items())]


def _bases(versions: Pins, mirror: str) -> dict[str, str]:
    """By digest where versions.toml has one; behind our mirror by the stand-in's, which may change under its tag."""

    def pinned(which: str) -> str:
        name = versions.images[which]
        repository, _, tag = name.rpartition(":")
        found = oci.resolve(LOCAL, repository, tag) if mirror else versions.digests.get(which)
        return f"{name}@{found}" if found else name

    return {"PYTHON_IMAGE": pinned("python"), "BUILDKIT_IMAGE": pinned("buildkit")}


def _builder_sources() -> list[Path]:
    package, helpers = SOURCES / "imagebuild", files(credentials.SOURCE)
    return [package / "__init__.py", *(f for part in ("contract", "runner") for f in files(package / part)), *helpers]


def files(directory: Path) -> Iterator[Path]:
    return (f for f in sorted(directory.rglob("*")) if f.is_file() and "__pycache__" not in f.parts)


def requirements(which: str) -> Path:
    return SOURCES / "images" / which / "requirements.txt"


def _program(which: str, python: str, wheels: str) -> Image:
    """Of the whole package, with the dependencies of one of its programs."""
    args = {"PYTHON_IMAGE": python, **({"WHEELS": wheels} if wheels else {})}
    return _image(which, [*files(SOURCES / "imagebuild"), requirements(which)], args)


def _image(which: str, sources: list[Path], args: Mapping[str, str]) -> Image:
    dockerfile = SOURCES / "images" / which / "Dockerfile"
    inputs = [dockerfile, dockerfile.with_name("Dockerfile.dockerignore"), *sources]
    content = digest([dict(args), [str(file.relative_to(REPOSITORY)) for file in inputs]], *inputs)
    return Image(f"imagebuild/{which}", f"{version()}-{content[:12]}", dockerfile, args)


def version() -> str:
    text = (SOURCES / "imagebuild" / "__init__.py").read_text()
    found = re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE)
    if not found:
        raise Failure("reading the version", "operator/imagebuild/__init__.py has no __version__ line", "add it")
    return found[1]


def _push(images: list[Image], versions: Pins, where: Places, docker: Engine, mirror: str) -> dict[str, str]:
    """Of each image: its name with the digest, after building those that the registry has not."""
    missing = [image for image in images if not oci.resolve(LOCAL, image.repository, image.tag)]
    if missing and (docker.ours or mirror):  # `docker build` could not be told of our mirror
        with buildkit.daemon(versions, where, mirror) as client:
            for image in missing:
                with step(f"building {image.name}"):
                    client.build(image.dockerfile, REPOSITORY, image.args, image.name)
    elif missing:
        for image in missing:
            with step(f"building {image.name}"):
                _docker_build(docker, image)
    names = {}
    for image in images:
        found = oci.resolve(LOCAL, image.repository, image.tag)
        if not found:
            raise Failure(f"building {image.name}", "the registry does not have it after the push", "run it again")
        names[image.name] = f"{image.name}@{found}"
    return names


def _docker_build(docker: Engine, image: Image) -> None:
    """With an engine that is not ours: it sees the registry on its own loopback, where no certificate is asked for."""
    local = f"{LOCAL}/{image.repository}:{image.tag}"
    args = [word for key, value in image.args.items() for word in ("--build-arg", f"{key}={value}")]
    command = ("docker", "build", "--file", str(image.dockerfile), "--tag", local, *args, str(REPOSITORY))
    run(*command, env={**docker.env, "DOCKER_BUILDKIT": "1"}, timeout=1800)
    docker.docker("push", local, timeout=600)


def _wheels(which: str, versions: Pins, cache: Path) -> str:
    """An image with a program's wheels, fetched here because RUN steps reach no package index."""
    machine = platform.machine()
    platforms = [f"{name}_{machine}" for name in versions.wheels_platforms]
    tag = digest([versions.wheels_python, platforms], requirements(which))
    repository = "imagebuild/wheels"
    found = oci.resolve(LOCAL, repository, tag)
    if not found:
        layout = cache / "standins" / f"wheels-{tag}"
        if not layout.exists():
            with tempfile.TemporaryDirectory() as scratch, step(f"fetching the wheels of {which}"):
                _download(requirements(which), versions.wheels_python, platforms, Path(scratch) / "wheels")
                oci.make(Path(scratch), layout, {}, level=1)
        found = oci.push(layout, LOCAL, repository, tag)
        say(f"wheels are in {OPEN}/{repository}:{tag}")
    return f"{OPEN}/{repository}:{tag}@{found}"


def _download(file: Path, python: str, platforms: list[str], target: Path) -> None:
    run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--require-hashes"),
        *("--implementation", "cp", "--python-version", python),
        *(f"--platform={name}" for name in platforms),
        *("--dest", str(target), "--requirement", str(file)),
        timeout=600,
        next_step=f"is pip there for {sys.executable}, and does it reach a package index?",
    )
