"""hack/release: images by digest, install.yaml, SBOMs, provenance and checksums, from a clean commit."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from localcluster import images, pins, places
from localcluster.pins import REPOSITORY, Pins
from localcluster.places import Lock, Places
from localcluster.work import Failure, attempt, run, say, step
from supply import chart, installation, provenance, publish, sbom
from supply.daemon import daemon
from supply.publish import Published

DESCRIPTION = """\
Make a release of what is committed: build the images of builder, operator and command line, push them to --registry,
and write install.yaml and a Helm chart (every image by digest), an SBOM of each image, provenance.json and SHA256SUMS
to --output. Everything in the images has the time of the commit. A tag that is there already is never moved.
Nothing is signed."""
NAMES = ("builder", "operator", "cli")
PROGRAMS = ("buildkitd", "oras", "syft")


@dataclass(frozen=True)
class Commit:
    sha: str
    epoch: int


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="hack/release", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("version", metavar="VERSION", help="as in operator/imagebuild/__init__.py")
    parser.add_argument("--registry", required=True, metavar="HOST/PATH", help="where the images go")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "dist", metavar="DIRECTORY", help="default: dist")
    parser.add_argument("--buildkit", default="", metavar="ADDRESS", help="of a daemon; default: one for this purpose")
    which = ("all", *NAMES)
    parser.add_argument("--twice", choices=which, help="build it twice, and refuse if it is not the same again")
    parser.add_argument("--source", default="", metavar="URL", help="of the repository; default: origin's, if HTTPS")
    parser.add_argument("--stand-ins", action="store_true", help="take base images from the local cluster: for tests")
    asked = parser.parse_args()
    try:
        release(asked, pins.load(), places.find())
    except Failure as failure:
        print(f"hack/release: {failure}", file=sys.stderr)
        return failure.code
    except KeyboardInterrupt:
        print("\nhack/release: stopped before its end; run it again: what is pushed stays", file=sys.stderr)
        return 130
    return 0


def release(asked: argparse.Namespace, versions: Pins, where: Places) -> None:
    started, commit = _now(), clean_commit(asked.version)
    published = _images(asked, versions, where, commit)
    output: Path = asked.output
    output.mkdir(parents=True, exist_ok=True)
    title = f"# ImageBuild operator {asked.version}, commit {commit.sha}: kubectl apply --server-side -f install.yaml\n"
    install = output / "install.yaml"
    install.write_text(title + installation.render(versions, where, asked.version, published[0], published[1]))
    packed = output / f"imagebuild-{asked.version}.tgz"
    chart.pack(packed, published[0], published[1], commit.epoch)
    lists = [output / f"{image.which}.spdx.json" for image in published]
    for image, file in zip(published, lists, strict=True):
        with step(f"listing what is in {image.name}"):
            sbom.write(versions, where, image, asked.version, file)
    of = provenance.Run(
        version=asked.version,
        commit=commit.sha,
        epoch=commit.epoch,
        source=asked.source or _origin(),
        stand_ins=asked.stand_ins,
        builder=builder_id(os.environ),
        programs={name: versions.programs[name].version for name in PROGRAMS},
        started=started,
        finished=_now(),
    )
    said = output / "provenance.json"
    said.write_text(json.dumps(provenance.statement(of, published, [install, packed, *lists]), indent=2) + "\n")
    sums = [f"{provenance.file_sum(file)}  {file.name}\n" for file in (install, packed, *lists, said)]
    (output / "SHA256SUMS").write_text("".join(sums))
    ask = publish.registries(versions, where)
    for image in published:
        publish.release_tag(ask, image, asked.version)
    say(f"released {asked.version}: {output}")


def _images(asked: argparse.Namespace, versions: Pins, where: Places, commit: Commit) -> list[Published]:
    """Builder, operator, command line."""
    ask = publish.registries(versions, where)
    mirror = places.load_env(where)["IMAGEBUILD_MIRROR"] if asked.stand_ins else ""
    published = []
    with Lock(where), tempfile.TemporaryDirectory() as scratch:
        context = export(commit, Path(scratch))
        wanted = [publish.pinned(image, versions, ask) for image in images.images(versions, where, mirror)]
        with daemon(versions, where, asked.buildkit, mirror) as client:
            for image in wanted:
                repository = f"{asked.registry}/{image.dockerfile.parent.name}"
                with step(f"building {repository}"):
                    published.append(publish.build(client, image, context, repository, commit.epoch))
                if asked.twice in {"all", published[-1].which}:
                    publish.again(client, image, context, published[-1], commit.epoch)
    return published


def clean_commit(version: str) -> Commit:
    """Of the checkout, which must be of this version and have nothing that is not committed."""
    if version != images.version():
        raise Failure(
            f"releasing {version}", f"operator/imagebuild/__init__.py says {images.version()}", "make them agree"
        )
    if changed := _git("status", "--porcelain"):
        raise Failure(f"releasing {version}", f"not committed:\n{changed}", "commit it, or put it away (git stash -u)")
    sha, epoch = _git("show", "--no-patch", "--format=%H %ct", "HEAD").split()
    return Commit(sha, int(epoch))


def export(commit: Commit, directory: Path) -> Path:
    """What is committed and nothing else, with the commit's time, and the same permissions for everybody."""
    run("git", "archive", "--format=tar", "--output", directory / "commit.tar", commit.sha, cwd=REPOSITORY)
    with tarfile.open(directory / "commit.tar") as archive:
        archive.extractall(directory / "commit", filter="data")
    return directory / "commit"


def builder_id(environment: os._Environ[str]) -> str:
    """Of the workflow that runs this, or of nobody in particular."""
    if "GITHUB_WORKFLOW_REF" in environment:
        return f"{environment['GITHUB_SERVER_URL']}/{environment['GITHUB_WORKFLOW_REF']}"
    return provenance.BY_HAND


def _origin() -> str:
    return provenance.public(attempt("git", "remote", "get-url", "origin", cwd=REPOSITORY).stdout.decode().strip())


def _git(*words: str) -> str:
    return run("git", *words, cwd=REPOSITORY).strip()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    sys.exit(main())
