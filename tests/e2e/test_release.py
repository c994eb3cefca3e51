"""hack/release, as a maintainer runs it: what it pushes and writes, against the registry and the API server."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from documents import blocks
from imagebuild import __version__
from localcluster import pins
from supply import requirements
from testbed.kubectl import Document
from testbed.place import ROOT, Place, git
from testbed.registry import manifest

pytestmark = [pytest.mark.cluster, pytest.mark.thorough, pytest.mark.xdist_group("release")]

PINS = pins.load()
NAMES = ("builder", "operator", "cli")
LOCKED = {which: requirements.parse((requirements.IMAGES / which / "requirements.txt").read_text())[0]
          for which in ("operator", "cli")}  # fmt: skip
DEVELOPMENT = {"pkg:pypi/hatchling", "pkg:pypi/mypy", "pkg:pypi/pytest", "pkg:pypi/uv"}


@dataclass(frozen=True)
class Release:
    commit: str
    checkout: Path
    output: Path
    registry: str
    said: str

    def document(self, name: str) -> Any:
        return json.loads((self.output / name).read_text())

    @property
    def installed(self) -> list[Document]:
        return list(yaml.safe_load_all((self.output / "install.yaml").read_text()))

    @property
    def subjects(self) -> dict[str, str]:
        """Name and sha256 of all that the provenance is about."""
        found = self.document("provenance.json")["subject"]
        return {subject["name"]: subject["digest"]["sha256"] for subject in found}

    def image(self, which: str) -> str:
        repository = f"{self.registry}/{which}"
        return f"{repository}@sha256:{self.subjects[repository]}"

    def packages(self, which: str) -> dict[str, set[str]]:
        """By package URL without version and qualifiers: the versions in the image."""
        found: dict[str, set[str]] = {}
        for package in self.document(f"{which}.spdx.json")["packages"]:
            for reference in package.get("externalRefs", []):
                if reference["referenceType"] == "purl":
                    name = re.split(r"[@?#]", reference["referenceLocator"])[0]
                    found.setdefault(name, set()).add(package["versionInfo"])
        return found


def release(checkout: Path, registry: str, output: Path, place: Place, *words: str) -> str:
    """With the Python of the tests, so that no other environment is made for it."""
    where = ("--registry", registry, "--output", str(output), "--stand-ins", *words)
    done = subprocess.run(
        [sys.executable, "-B", "-m", "supply.release", __version__, *where],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout / "hack"), "KUBECTL": place.kubectl},
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def released(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Of what is committed here; the operator's image is built twice."""
    checkout, output = tmp_path_factory.mktemp("release") / "checkout", tmp_path_factory.mktemp("dist")
    git("clone", "--quiet", f"file://{ROOT}", str(checkout))
    registry = f"{place.registry}/release-{secrets.token_hex(3)}"
    said = release(checkout, registry, output, place, "--twice", "operator")
    return Release(git("rev-parse", "HEAD", cwd=checkout), checkout, output, registry, said)


def test_the_sums_are_of_all_files(released: Release) -> None:
    lines = (released.output / "SHA256SUMS").read_text().splitlines()
    named = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert named.keys() == {path.name for path in released.output.iterdir()} - {"SHA256SUMS"}
    for name, digest in named.items():
        assert hashlib.sha256((released.output / name).read_bytes()).hexdigest() == digest


def test_the_provenance_is_about_what_was_pushed_and_written(released: Release, place: Place) -> None:
    sums = (released.output / "SHA256SUMS").read_text()
    for name, digest in released.subjects.items():
        if name.startswith(place.registry):
            found = manifest(place, f"{name}:{__version__}")
            assert found is not None
            assert found[0] == f"sha256:{digest}"
        else:
            assert f"{digest}  {name}\n" in sums
    files = {"install.yaml", f"imagebuild-{__version__}.tgz"}
    assert released.subjects.keys() >= {f"{released.registry}/{which}" for which in NAMES} | files


def test_the_provenance_names_the_commit_and_the_base_images(released: Release, place: Place) -> None:
    definition = released.document("provenance.json")["predicate"]["buildDefinition"]
    commit, *others = definition["resolvedDependencies"]
    assert commit["digest"] == {"gitCommit": released.commit}
    assert definition["externalParameters"]["standIns"] is True
    found = {one["digest"]["sha256"] for one in others}
    for name in definition["internalParameters"]["buildArguments"]["builder"].values():
        digest = name.partition("@")[2]
        assert digest.removeprefix("sha256:") in found
        there = name.replace("docker.io", place.mirror, 1) if place.mirror else name
        if there.startswith(place.registry):
            tagged = re.sub(r":[^:/@]+@", "@", there)
            assert manifest(place, tagged) is not None


def images(document: Document) -> Iterator[str]:
    """Whatever a document of Kubernetes has under `image`, at any depth."""
    for key, value in document.items():
        if key == "image" and isinstance(value, str):
            yield value
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from images(inner)


def of_kind(released: Release, kind: str) -> list[Document]:
    return [document for document in released.installed if document["kind"] == kind]


def test_install_yaml_names_every_image_by_its_digest(released: Release) -> None:
    workloads = [*of_kind(released, "Deployment"), *of_kind(released, "DaemonSet")]
    assert {name for document in workloads for name in images(document)} == {
        released.image("builder"),
        released.image("operator"),
    }
    (config,) = [one for one in of_kind(released, "ConfigMap") if "config.yaml" in one["data"]]
    assert yaml.safe_load(config["data"]["config.yaml"])["builder"]["image"] == released.image("builder")
    policy = of_kind(released, "ValidatingAdmissionPolicy")[0]
    assert policy["spec"]["variables"][0] == {"name": "image", "expression": f'"{released.image("builder")}"'}


@pytest.fixture
def beside(released: Release, place: Place, tmp_path: Path) -> Callable[[str], list[Document]]:
    """The objects of the kustomization beside install.yaml that docs/install.md shows with these words in it."""

    def made(words: str) -> list[Document]:
        told = (block for block in blocks(ROOT / "docs" / "install.md") if block.info == "yaml release")
        (shown,) = (block for block in told if words in block.text)
        (tmp_path / "kustomization.yaml").write_text(shown.text)
        shutil.copy(released.output / "install.yaml", tmp_path)
        command = [place.kubectl, "kustomize", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        return list(yaml.safe_load_all(done.stdout))

    return made


def test_settings_of_ones_own_go_into_a_kustomization_beside_it(beside: Callable[[str], list[Document]]) -> None:
    (config,) = (each for each in beside("isolation: Userns") if _is_configuration(each))
    assert yaml.safe_load(config["data"]["config.yaml"])["isolation"] == "Userns"


def test_going_back_takes_all_of_it_but_the_crd(released: Release, beside: Callable[[str], list[Document]]) -> None:
    def names(documents: Iterable[Document]) -> set[tuple[str, str]]:
        return {(each["kind"], each["metadata"]["name"]) for each in documents}

    crd = ("CustomResourceDefinition", "imagebuilds.imagebuild.dev")
    assert names(beside("$patch: delete")) == names(released.installed) - {crd}
    assert crd in names(released.installed)


def _is_configuration(document: Document) -> bool:
    return (document["kind"], document["metadata"]["name"]) == ("ConfigMap", "imagebuild-operator")


@pytest.mark.usefixtures("operator")  # its namespaces are there: a dry run makes none
def test_what_the_documents_say_to_do_with_it_works(released: Release, place: Place, tmp_path: Path) -> None:
    """kubectl as a reader has it, but all that it does is a dry run."""
    command = shlex.join([place.kubectl, f"--kubeconfig={place.kubeconfig}"])
    (tmp_path / "kubectl").write_text(f'#!/bin/sh\nexec {command} "$@" --force-conflicts --dry-run=server\n')
    (tmp_path / "kubectl").chmod(0o755)
    (block,) = (block for block in blocks(ROOT / "docs" / "install.md") if block.info == "sh release")
    said = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=released.output,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout.splitlines()
    assert "install.yaml: OK" in said
    assert "deployment.apps/imagebuild-operator serverside-applied (server dry run)" in said
    assert len([line for line in said if "serverside-applied" in line]) == len(released.installed)


@pytest.mark.parametrize(
    ("which", "package", "version"),
    [
        ("builder", "pkg:golang/github.com/moby/buildkit", PINS.programs["buildkitd"].version),
        ("builder", "pkg:golang/github.com/awslabs/amazon-ecr-credential-helper/ecr-login", "v0.12.0"),
        ("operator", "pkg:pypi/kopf", LOCKED["operator"]["kopf"].version),
        ("cli", "pkg:pypi/click", LOCKED["cli"]["click"].version),
    ],
)
def test_the_sbom_names_what_is_in_the_image(released: Release, which: str, package: str, version: str) -> None:
    assert version in released.packages(which)[package]


@pytest.mark.parametrize("which", NAMES)
def test_the_sbom_names_debians_packages(released: Release, which: str) -> None:
    found = released.packages(which)
    assert {"pkg:deb/debian/libc6", "pkg:deb/debian/base-files"} <= found.keys()
    assert which != "builder" or {"pkg:deb/debian/git", "pkg:deb/debian/uidmap"} <= found.keys()


@pytest.mark.parametrize("which", NAMES)
def test_the_sbom_names_nothing_of_the_build(released: Release, which: str) -> None:
    found = released.packages(which)
    assert not DEVELOPMENT & found.keys()
    assert not {name for name in found if name.startswith("pkg:deb/debian/golang")}
    assert which == "builder" or not {name for name in found if name.startswith("pkg:golang")}


@pytest.mark.parametrize("which", ["operator", "cli"])
def test_the_sbom_names_every_locked_package(released: Release, which: str) -> None:
    found = released.packages(which)
    for name, pin in LOCKED[which].items():
        if requirements.applies(pin.marker, requirements.IN_IMAGES):
            assert found[f"pkg:pypi/{name}"] >= {pin.version}, name


def test_the_same_commit_gives_the_same_image_again(released: Release) -> None:
    """hack/release has compared them."""
    assert "building operator again" in released.said
