"""What a job leaves for later ones, and what it says of a token that was refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import jobs
from imagebuild.cli.__main__ import main_group
from imagebuild.cli.ci import github, gitlab, hints, outputs
from imagebuild.cli.exits import Exit
from imagebuild.cli.problem import Problem
from imagebuild.cli.view import View

DIGEST = f"sha256:{'ab' * 32}"


BUILT = {
    "metadata": {"name": "shop-1", "namespace": "ci"},
    "status": {
        "phase": "Succeeded",
        "reason": "Built",
        "duration": "21s",
        "source": {"commit": jobs.COMMIT},
        "output": {"digest": DIGEST, "images": ["r.io:5000/team/shop:1", "r.io:5000/team/shop:main"]},
    },
}
FAILED = {
    "metadata": {"name": "shop-1", "namespace": "ci"},
    "status": {"phase": "Failed", "reason": "RegistryDenied", "message": "may not push\n### injected"},
}
LOST = {"metadata": {"name": "shop-1", "namespace": "ci"}, "status": {"phase": "Failed", "reason": "NodeLost"}}


def test_later_jobs_find_the_image_by_its_digest(tmp_path: Path) -> None:
    files = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    (tmp_path / "GITHUB_OUTPUT").write_text("before=1\n")
    outputs.write(View(BUILT), str(tmp_path / "digest"), str(tmp_path / "env"), files)
    assert (tmp_path / "digest").read_text() == DIGEST
    assert (tmp_path / "env").read_text().splitlines() == [
        "IMAGE=r.io:5000/team/shop:1",
        "IMAGES=r.io:5000/team/shop:1,r.io:5000/team/shop:main",
        f"DIGEST={DIGEST}",
        f"IMAGE_REF=r.io:5000/team/shop@{DIGEST}",
        f"COMMIT={jobs.COMMIT}",
        "IMAGEBUILD=shop-1",
    ]
    assert "before=1\nimage=r.io:5000/team/shop:1\nimages=" in (tmp_path / "GITHUB_OUTPUT").read_text()
    assert f"image-ref=r.io:5000/team/shop@{DIGEST}\n" in (tmp_path / "GITHUB_OUTPUT").read_text()
    assert "shop-1: Built in 21s" in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()


def test_of_a_build_that_has_failed_only_the_reason_is_left(tmp_path: Path) -> None:
    files = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    outputs.write(View(FAILED), str(tmp_path / "digest"), str(tmp_path / "env"), files)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["GITHUB_STEP_SUMMARY"]
    told = (tmp_path / "GITHUB_STEP_SUMMARY").read_text()
    assert "RegistryDenied" in told
    assert "\n### injected" not in told


@pytest.mark.parametrize(
    ("build", "file", "code"),
    [
        pytest.param(BUILT, "digest", Exit.CONFIGURATION, id="a file that somebody waits for"),
        pytest.param(BUILT, "GITHUB_OUTPUT", Exit.CONFIGURATION, id="what later steps read"),
        pytest.param(LOST, "GITHUB_STEP_SUMMARY", Exit.INFRASTRUCTURE, id="of a build that has failed itself"),
    ],
)
def test_a_file_that_cannot_be_written_is_named_and_no_fault_of_the_dockerfile(
    build: dict[str, Any], file: str, code: Exit, tmp_path: Path
) -> None:
    there = str(tmp_path / "gone" / "file")
    digest, environ = (there, {}) if file == "digest" else (None, {file: there})
    with pytest.raises(Problem, match=f"{there} cannot be written: No such file or directory") as raised:
        outputs.write(View(build), digest, None, environ)
    assert raised.value.exit_code == code


@pytest.mark.parametrize("flag", ["--digest-file", "--dotenv"])
def test_a_directory_that_is_missing_is_said_before_anything_is_built(flag: str, tmp_path: Path) -> None:
    there = str(tmp_path / "gone" / "file")
    words = [flag, there, "--kubeconfig", "/nowhere", "https://h/x.git", "-t", "r.io/a:1"]
    done = CliRunner().invoke(main_group, ["build", *words], catch_exceptions=False)
    assert f"Invalid value for '{flag}': there is no directory {tmp_path}/gone" in done.output


def test_a_token_that_was_refused_is_named() -> None:
    of_gitlab, of_github = gitlab.facts(jobs.GITLAB_BRANCH), github.facts(jobs.GITHUB_PUSH, {})
    assert of_gitlab is not None
    assert of_github is not None
    assert "CI_JOB_TOKEN" in hints.credentials(of_gitlab, View(FAILED), crossed=True)
    assert "packages: write" in hints.credentials(of_github, View(FAILED), crossed=True)
    assert hints.credentials(of_gitlab, View(FAILED), crossed=False) == ""
    assert hints.credentials(of_gitlab, View(BUILT), crossed=True) == ""
