"""hack/release: what it refuses, what its provenance says, what is pinned. tests/e2e/test_release.py makes one."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from generator.files import CHART
from imagebuild import __version__
from localcluster import images, pins, places
from localcluster.work import Failure
from supply import chart, installation, provenance, publish
from supply.publish import Published, Registries

ROOT = pins.REPOSITORY
PINS = pins.load()
DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
BASE = f"docker.io/library/python:3.13@{OTHER}"
BUILDER = Published("builder", "r.example.com:5000/imagebuild/builder", DIGEST, {"PYTHON_IMAGE": BASE})
OPERATOR = Published("operator", "r.example.com:5000/imagebuild/operator", OTHER, {"PYTHON_IMAGE": BASE})
RUN = provenance.Run(
    version="1.2.3",
    commit="c" * 40,
    epoch=1700000000,
    source="https://git.example.com/imagebuild",
    stand_ins=False,
    builder=provenance.BY_HAND,
    programs={"buildkitd": "v0.33.1"},
    started="2026-01-01T00:00:00Z",
    finished="2026-01-01T00:01:00Z",
)


@dataclass(frozen=True)
class Tags(Registries):
    """Registries with these tags."""

    oras: Path = Path("none")
    there: dict[str, str] = field(default_factory=dict)

    def resolve(self, name: str) -> str | None:
        return self.there.get(name)

    def tag(self, image: Published, tag: str) -> None:
        self.there[f"{image.repository}:{tag}"] = image.digest


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("release") / "checkout"
    subprocess.run(["git", "clone", "--quiet", f"file://{ROOT}", str(path)], check=True, timeout=60)
    return path


def refused(checkout: Path, version: str) -> str:
    command = [sys.executable, "-B", "-m", "supply.release", version, "--registry", "r.example.com"]
    environment = {**os.environ, "PYTHONPATH": str(checkout / "hack")}
    done = subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    return done.stderr


def test_another_version_than_the_codes_is_refused(checkout: Path) -> None:
    assert f"releasing 9.9.9: operator/imagebuild/__init__.py says {__version__}" in refused(checkout, "9.9.9")


def test_what_is_not_committed_is_not_released(checkout: Path) -> None:
    (checkout / "operator" / "new.txt").write_text("not committed")
    said = refused(checkout, __version__)
    assert "?? operator/new.txt" in said
    assert "next: commit it" in said


def test_the_provenance_is_an_in_toto_statement_about_images_and_files(tmp_path: Path) -> None:
    install = tmp_path / "install.yaml"
    install.write_text("kind: List\n")
    said = provenance.statement(RUN, [BUILDER, OPERATOR], [install])
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "https://slsa.dev/provenance/v1"
    assert said["subject"] == [
        {"name": BUILDER.repository, "digest": {"sha256": "a" * 64}},
        {"name": OPERATOR.repository, "digest": {"sha256": "b" * 64}},
        {"name": "install.yaml", "digest": {"sha256": hashlib.sha256(b"kind: List\n").hexdigest()}},
    ]


def test_the_provenance_names_commit_base_images_and_locks() -> None:
    definition = provenance.statement(RUN, [BUILDER, OPERATOR], [])["predicate"]["buildDefinition"]
    commit, base, *locks = definition["resolvedDependencies"]
    assert commit["uri"] == f"git+https://git.example.com/imagebuild@{'c' * 40}"
    assert commit["digest"] == {"gitCommit": "c" * 40}
    assert base["digest"] == {"sha256": "b" * 64}
    assert base["uri"].startswith("pkg:oci/python@sha256%3Abbbb")
    assert base["uri"].endswith("?repository_url=docker.io/library/python&tag=3.13")
    assert [lock["name"] for lock in locks] == list(provenance.LOCKS)
    text = (ROOT / provenance.LOCKS[1]).read_bytes()
    assert locks[1]["digest"] == {"sha256": hashlib.sha256(text).hexdigest()}


def test_every_lock_that_an_image_is_built_from_is_named_in_the_provenance() -> None:
    found = [
        *(ROOT / "operator" / "images").glob("*/requirements.txt"),
        *(ROOT / "operator" / "images").rglob("go.*"),
    ]
    assert {str(path.relative_to(ROOT)) for path in found} <= set(provenance.LOCKS)


@pytest.mark.parametrize(
    ("remote", "said"),
    [
        ("https://git.example.com/a.git", "https://git.example.com/a.git"),
        ("https://me:secret@git.example.com:8443/a.git?x=y", "https://git.example.com:8443/a.git"),
        ("git@git.example.com:a.git", ""),
        ("file:///home/me/a", ""),
        ("/home/me/a", ""),
    ],
)
def test_nobodys_name_password_or_directory_is_published(remote: str, said: str) -> None:
    assert provenance.public(remote) == said


def test_an_image_gets_its_tag_once() -> None:
    tags = Tags()
    publish.release_tag(tags, BUILDER, "1.2.3")
    publish.release_tag(tags, BUILDER, "1.2.3")
    assert tags.there == {f"{BUILDER.repository}:1.2.3": DIGEST}


def test_a_tag_that_is_there_is_never_moved() -> None:
    tags = Tags(there={f"{BUILDER.repository}:1.2.3": OTHER})
    with pytest.raises(Failure, match=f"it is {OTHER} already, not {DIGEST}"):
        publish.release_tag(tags, BUILDER, "1.2.3")
    assert tags.there == {f"{BUILDER.repository}:1.2.3": OTHER}


def test_every_base_image_is_used_by_digest() -> None:
    moving = {PINS.images["python"]: DIGEST, PINS.images["go"]: OTHER}
    for image in images.images(PINS, places.find(), mirror=""):
        args = publish.pinned(image, PINS, Tags(there=moving)).args
        assert args["PYTHON_IMAGE"] == f"{PINS.images['python']}@{DIGEST}"
        assert all("@sha256:" in name for name in args.values())
        named = [line.split("=")[0] for line in image.dockerfile.read_text().splitlines() if "_IMAGE=" in line]
        assert {name.removeprefix("ARG ") for name in named} <= set(args)


def test_a_base_image_that_is_not_there_is_named() -> None:
    (builder, *_) = images.images(PINS, places.find(), mirror="")
    with pytest.raises(Failure, match=r"looking up docker\.io/library/python:3\.13"):
        publish.pinned(builder, PINS, Tags())


def test_the_overlay_of_install_yaml_names_every_image_by_digest() -> None:
    said = installation.overlay("../manifests", BUILDER, OPERATOR)
    assert said["images"] == [
        {"name": "imagebuild-builder", "newName": BUILDER.repository, "digest": DIGEST},
        {"name": "imagebuild-operator", "newName": OPERATOR.repository, "digest": OTHER},
    ]


def test_the_packed_chart_is_the_one_here_with_every_image_by_digest_and_the_operators_bounds(tmp_path: Path) -> None:
    first, second = tmp_path / "first.tgz", tmp_path / "second.tgz"
    for file in (first, second):
        chart.pack(file, BUILDER, OPERATOR, epoch=1700000000)
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as archive:
        assert {entry.mtime for entry in archive} == {1700000000}
        archive.extractall(tmp_path, filter="data")
    packed = {file.relative_to(tmp_path / "imagebuild"): file for file in (tmp_path / "imagebuild").rglob("*.*")}
    here = {file.relative_to(CHART): file for file in CHART.rglob("*.*")}
    assert packed.keys() == here.keys()
    different = {str(name) for name in here if here[name].read_text() != packed[name].read_text()}
    assert different == {"values.yaml", "README.md"}
    values = yaml.safe_load((tmp_path / "imagebuild" / "values.yaml").read_text())
    assert (values["operator"]["image"], values["builder"]["image"]) == (OPERATOR.name, BUILDER.name)
    assert values["operatorBounds"] == {"enabled": True}
