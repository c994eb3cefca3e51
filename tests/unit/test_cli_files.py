"""Files that a command line names: what is wrong in one is said of it, and is no traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
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


@pytest.mark.parametrize("text", ["a: b: c", "a: 2026-13-45", "[" * 5000], ids=["YAML", "a date", "an end"])
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
