"""What comes from outside is locked: by version and checksum, and as pyproject.toml and versions.toml say."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from localcluster import gomodules, pins
from supply import requirements
from supply.requirements import DEVELOPMENT, OPERATOR

PINS = pins.load()
HASH = "    --hash=sha256:" + "0" * 64
PYYAML = f"pyyaml==6.0.3 \\\n{HASH}\n"
TEXT = f"# made by hack/lock\n{PYYAML}    # via imagebuild\n"
WANTED = [Requirement("pyyaml>=6")]


def problems(text: str, *wanted: str) -> list[str]:
    return list(requirements.problems(DEVELOPMENT, text, [Requirement(one) for one in wanted]))


def test_every_lock_fits() -> None:
    assert requirements.check(PINS.go_wheel) == []
    assert gomodules.check(PINS) == []


def test_a_lock_that_fits_has_no_problems() -> None:
    assert problems(TEXT, "PyYAML>=6") == []


@pytest.mark.parametrize(
    ("text", "wanted", "said"),
    [
        pytest.param(
            TEXT, "pyyaml>=7", "pyyaml 6.0.3 is locked, wanted: pyyaml>=7", id="the project wants a newer one"
        ),
        pytest.param("", "pyyaml>=6", "pyyaml is missing, wanted: pyyaml>=6", id="the project wants one more"),
        pytest.param(TEXT + f"ruff==1 \\\n{HASH}\n", "pyyaml", "ruff is wanted by nothing", id="left over"),
        pytest.param("pyyaml==6.0.3 \\\n", "pyyaml", "pyyaml has no hash", id="no hash"),
        pytest.param("pyyaml==6.0.3\n", "pyyaml", "a line that is no pin with hashes: pyyaml==6.0.3", id="a bare pin"),
        pytest.param(
            "--index-url https://pypi.example.com/simple\n" + TEXT,
            *("pyyaml", "a line that is no pin with hashes: --index-url https://pypi.example.com/simple"),
            id="an index of somebody's own",
        ),
        pytest.param(
            "pyyaml @ https://example.com/a.whl \\\n" + HASH,
            *("pyyaml", "a line that is no pin with hashes: pyyaml @ https://example.com/a.whl \\"),
            id="an address",
        ),
    ],
)
def test_what_is_wrong_with_a_lock_is_said(text: str, wanted: str, said: str) -> None:
    assert said in problems(text, wanted)


def test_what_a_package_needs_is_needed_too() -> None:
    text = OPERATOR.path.read_text()
    without = "".join(part for part in text.split("\naiosignal==1")[:1])
    assert any(said.startswith("yarl is missing") for said in problems(without, "aiohttp>=3"))


def test_a_package_for_another_system_is_not_asked_for_here() -> None:
    text = TEXT + f"colorama==0.4.6 ; sys_platform == 'win32' \\\n{HASH}\n"
    assert problems(text, "pyyaml", "colorama; sys_platform == 'win32'") == []


def test_two_locks_that_disagree_are_named() -> None:
    other = PYYAML.replace("6.0.3", "6.0.4")
    assert list(requirements.disagreements({"a": PYYAML, "b": other})) == ["pyyaml: 6.0.3 in a, 6.0.4 in b"]
    assert list(requirements.disagreements({"a": PYYAML, "b": PYYAML})) == []


def test_the_images_and_the_tests_have_the_same_versions() -> None:
    images, _ = requirements.parse(OPERATOR.path.read_text())
    tests, _ = requirements.parse(DEVELOPMENT.path.read_text())
    assert images["kopf"].version == tests["kopf"].version
    assert images.keys() <= tests.keys()


def test_a_lock_of_go_is_what_versions_toml_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(gomodules.DIRECTORY, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(gomodules, "DIRECTORY", tmp_path)
    program = PINS.programs["kubelet"]
    assert list(gomodules.problems(PINS, program)) == []
    newer = replace(program, version="v9.9.9", staging="v0.9.9")
    assert list(gomodules.problems(PINS, newer)) == [
        "go.mod does not require k8s.io/kubernetes v9.9.9",
        f"go.mod replaces by {program.staging}, not by v0.9.9",
        "go.sum has no checksum of k8s.io/kubernetes v9.9.9",
    ]
    without = replace(PINS, programs={name: one for name, one in PINS.programs.items() if name != "kubectl"})
    assert list(gomodules.problems(without, program)) == ["go.mod has other programs of k8s.io/kubernetes"]
    (gomodules.directory(program) / "go.sum").unlink()
    assert list(gomodules.problems(PINS, program)) == ["k8s.io/kubernetes has no go.mod and go.sum"]
    (tmp_path / "left").mkdir()
    assert "left: no program is of this module" in gomodules.check(PINS)
