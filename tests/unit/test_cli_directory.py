"""A directory of this machine as the source: which Dockerfile, which repository, and when it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from imagebuild.cli import directory, options, request
from imagebuild.cli.__main__ import main_group
from imagebuild.cli.directory import Dockerfile
from imagebuild.cli.upload import Progress

IMAGE = "registry.example.com:5000/team/shop:1"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a context `shop` and Dockerfiles in it and beside it."""
    for name in ("shop/Dockerfile", "shop/api/Dockerfile", "shop/only-here", "outside"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"FROM {name}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "found"),
    [
        pytest.param(None, Dockerfile(), id="none is named"),
        pytest.param("-", Dockerfile(), id="standard input"),
        pytest.param(
            "shop/api/Dockerfile", Dockerfile(path="api/Dockerfile"), id="from where one is, as buildx has it"
        ),
        pytest.param("only-here", Dockerfile(path="only-here"), id="from the context, as Kaniko has it"),
        pytest.param("outside", Dockerfile(inline="FROM outside\n"), id="outside of the context"),
    ],
)
def test_a_dockerfile_is_found_where_others_find_it(file: str | None, found: Dockerfile, here: Path) -> None:
    assert directory.dockerfile(file, here / "shop", here) == found


def test_a_dockerfile_that_is_not_there_is_said_before_anything_is_sent(here: Path) -> None:
    with pytest.raises(click.BadParameter, match="there is no nowhere"):
        directory.dockerfile("nowhere", here / "shop", here)


@pytest.mark.parametrize(
    ("images", "named", "repository"),
    [
        ([IMAGE, "r.io/other:1"], None, "registry.example.com:5000/team/shop"),
        (["r.io/shop"], None, "r.io/shop"),
        ([IMAGE], "r.io/sources", "r.io/sources"),
    ],
)
def test_it_goes_to_the_first_images_repository_unless_one_is_named(
    images: list[str], named: str | None, repository: str
) -> None:
    assert directory.repository(images, named) == repository


class Sent(list[tuple[Path, str, str, str | None]]):
    def __call__(self, root: Path, repository: str, context: str, dockerfile: str | None) -> Mapping[str, Any]:
        self.append((root, repository, context, dockerfile))
        return {"oci": {"image": f"{repository}@sha256:ab"}}


def asked(*words: str) -> tuple[dict[str, Any], Sent]:
    """The spec that this command line of `create` comes to, and what was sent for it."""
    found: list[dict[str, Any]] = []
    sent = Sent()

    @click.command
    @options.build_flags
    def command(**given: Any) -> None:
        found.append(request.requested(given, "n", sent)["spec"])

    done = CliRunner().invoke(command, words, catch_exceptions=False, standalone_mode=False)
    assert done.exit_code == 0
    return found[0], sent


def test_a_directory_is_sent_and_its_artifact_is_the_source(here: Path) -> None:
    spec, sent = asked(str(here / "shop"), "-t", IMAGE, "--path", "api", "-f", "Dockerfile")
    repository = "registry.example.com:5000/team/shop"
    assert sent == [(here / "shop", repository, "api", "Dockerfile")]
    assert spec == {
        "source": {"oci": {"image": f"{repository}@sha256:ab"}, "path": "api"},
        "dockerfile": {"path": "Dockerfile"},
        "output": {"images": [IMAGE]},
        "ttlAfterFinished": "24h",
    }


def test_a_dockerfile_outside_of_the_directory_goes_inline(here: Path) -> None:
    spec, sent = asked(str(here / "shop"), "-t", IMAGE, "-f", "outside")
    assert spec["dockerfile"] == {"inline": "FROM outside\n"}
    assert sent[0][3] is None


@pytest.mark.parametrize("words", [["shop"], ["shop", "--discard"], ["shop", "-t", IMAGE, "-f", "nowhere"]])
def test_nothing_is_sent_for_a_command_line_that_is_wrong(words: list[str], here: Path) -> None:
    with pytest.raises(click.UsageError):
        asked(*words)


def test_a_dry_run_sends_nothing(here: Path) -> None:
    done = CliRunner().invoke(main_group, ["create", str(here / "shop"), "-t", IMAGE, "--dry-run"])
    assert done.exit_code != 0
    assert "--dry-run would have to send" in done.output


def test_progress_is_told_in_megabytes() -> None:
    now = Progress(total=12_345_678, packed=2_000_000, sent=1_000_000, reused=500_000)
    assert directory.told(now) == "2.0 of 12.3 MB packed, 1.0 MB sent, 0.5 MB were there"
