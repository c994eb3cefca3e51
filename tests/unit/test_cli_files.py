"""Files that a command line names: what is wrong in one is said of it, and is no traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from imagebuild.cli.__main__ import main_group
from imagebuild.cli.exits import Exit

IMAGE = "registry.example.com/team/shop:1"
GIT = "https://git.example.com/shop.git"


def create(*words: str, stdin: bytes | None = None) -> Result:
    """A dry run. Whatever is no word of click's is raised."""
    return CliRunner().invoke(main_group, ["create", *words, "--dry-run"], input=stdin, catch_exceptions=False)


def refused(*words: str, stdin: bytes | None = None) -> str:
    done = create(*words, stdin=stdin)
    assert done.exit_code not in (Exit.OK, Exit.BUILD_FAILED), done.output
    return " ".join(done.output.split())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("spec: hello", "spec must be an object, not a text", id="a spec"),
        pytest.param("spec: []", "spec must be an object, not a list", id="an empty list"),
        pytest.param("{metadata: x, spec: {}}", "metadata must be an object, not a text", id="the metadata"),
        pytest.param("{metadata: {name: 5}, spec: {}}", "metadata.name must be a text, not a number", id="a name"),
        pytest.param(
            "{metadata: {annotations: [a]}, spec: {}}", "metadata.annotations must be an object", id="annotations"
        ),
        pytest.param("{source: 'https://h/x.git'}", "source must be an object, not a text", id="a URL as the source"),
        pytest.param("{source: {git: 'https://h/x.git'}}", "source.git must be an object, not a text", id="and below"),
        pytest.param("{source: {git: {url: 5}}}", "source.git.url must be a text, not a number", id="no URL"),
        pytest.param("spec: {output: yes}", "spec.output must be an object, not yes or no", id="in an ImageBuild"),
        pytest.param("{output: {images: r.io/a}}", "output.images must be a list, not a text", id="one image"),
        pytest.param("{output: {images: [5]}}", "output.images[0] must be a text, not a number", id="no image"),
        pytest.param("dockerfile: FROM scratch", "dockerfile must be an object, not a text", id="a Dockerfile"),
        pytest.param("cache: registry", "cache must be an object, not a text", id="a cache"),
        pytest.param("{cache: {branch: main}}", "cache.branch must be an object, not a text", id="a branch"),
        pytest.param("pod: 1", "pod must be an object, not a number", id="a pod"),
        pytest.param("registrySecrets: push", "registrySecrets must be a list, not a text", id="a Secret"),
    ],
)
def test_a_field_of_a_spec_that_is_of_another_kind_is_named_with_its_file(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "build.yaml").write_text(text)
    said = refused(GIT, "-t", IMAGE, "--spec", str(tmp_path / "build.yaml"))
    assert "Invalid value for '--spec'" in said
    assert f"build.yaml: {told}" in said


@pytest.mark.parametrize("nothing", ["output:", "{spec: {dockerfile: }}", "spec:", "{metadata: , spec: }"])
def test_a_field_of_nothing_is_as_if_it_was_not_there(nothing: str, tmp_path: Path) -> None:
    (tmp_path / "build.yaml").write_text(nothing)
    assert "Say where the image goes" in refused(GIT, "--spec", str(tmp_path / "build.yaml"))
    document = yaml.safe_load(create(GIT, "-t", IMAGE, "--spec", str(tmp_path / "build.yaml")).stdout)
    assert document["spec"] == {"source": {"git": {"url": GIT}}, "output": {"images": [IMAGE]}}


def test_what_is_the_users_own_is_left_to_the_api_server(tmp_path: Path) -> None:
    """An argument of nothing is a mistake, and no wish to have none."""
    (tmp_path / "build.yaml").write_text("{args: {A: }, retryLimit: many}")
    spec = yaml.safe_load(create(GIT, "-t", IMAGE, "--spec", str(tmp_path / "build.yaml")).stdout)["spec"]
    assert (spec["args"], spec["retryLimit"]) == ({"A": None}, "many")


def test_a_date_is_a_text_as_it_is_to_kubectl(tmp_path: Path) -> None:
    (tmp_path / "build.yaml").write_text("args: {DATE: 2026-01-01}")
    spec = yaml.safe_load(create(GIT, "-t", IMAGE, "--spec", str(tmp_path / "build.yaml")).stdout)["spec"]
    assert spec["args"] == {"DATE": "2026-01-01"}


@pytest.mark.parametrize("text", ["a: b: c", "a: !!int b", "[" * 5000], ids=["YAML", "a number", "an end"])
def test_a_spec_that_is_no_yaml_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "build.yaml").write_text(text)
    assert "build.yaml cannot be read: " in refused(GIT, "-t", IMAGE, "--spec", str(tmp_path / "build.yaml"))


LATIN = "FROM scratch # größe".encode("latin-1")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["-f", "latin", "--discard"], id="a Dockerfile with no source"),
        pytest.param(["shop", "-t", IMAGE, "-f", "latin"], id="a Dockerfile beside a directory"),
        pytest.param([GIT, "-t", IMAGE, "--spec", "latin"], id="a spec"),
        pytest.param(["-f", "-", "--discard"], id="standard input"),
    ],
)
def test_a_file_that_is_no_text_is_named(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop").mkdir()
    (tmp_path / "latin").write_bytes(LATIN)
    said = refused(*words, stdin=LATIN)
    assert "Invalid value for" in said
    assert ("latin" if "latin" in words else "standard input") + " cannot be read: " in said


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", denied)
    (tmp_path / "Dockerfile").touch()
    assert "/Dockerfile cannot be read: Permission denied" in refused("-f", str(tmp_path / "Dockerfile"), "--discard")


def denied(*_: Any) -> str:
    raise PermissionError(13, "Permission denied")
