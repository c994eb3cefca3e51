"""manifests/ci: what a shell and the command line can say of it without its systems; tests/e2e/test_ci.py runs it."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from e2e import pipeline
from e2e.pipeline import CI, Step
from imagebuild.cli.commands.build import command

STEPS = {
    "gitlab": pipeline.gitlab(options="--target 'a b'"),
    "github": pipeline.github(tags="r.io/a:1"),
    "argo": pipeline.argo("uid", source=".", image="r.io/a:1"),
    "tekton": pipeline.tekton("uid", source=".", image="r.io/a:1"),
}
IMAGE = "registry.example.com/imagebuild/cli:0.1.0"
FILES = sorted(file for file in CI.rglob("*") if file.is_file())


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_every_script_is_one_for_the_smallest_shell_and_the_command_line_takes_its_flags(step: Step) -> None:
    subprocess.run(["sh", "-n"], input=step.script, text=True, check=True, timeout=10)
    (line,) = re.findall(r"^(?:exec )?imagebuild build (.*)$", step.script, re.MULTILINE)
    words = [word for word in shlex.split(line) if word not in ("$@", "$OPTIONS")]
    command.make_parser(click.Context(command)).parse_args(words)


def test_inputs_are_filled_in_where_a_shell_cannot_take_them_for_words() -> None:
    """What a repository can choose, such as the name of a branch in a tag, is a value and never a script."""
    evil = "$(touch /tmp/x); `id`"
    for step in (pipeline.github(tags=evil), pipeline.argo("u", source=evil, image=evil)):
        assert evil not in step.script
        assert evil in step.env.values()
    assert evil not in pipeline.tekton("u", source=evil, image=evil).script


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CI)))
def test_every_file_names_the_same_image_and_is_explained(file: Path) -> None:
    named = re.findall(r"registry\.example\.com/imagebuild/cli:[\w.]+", file.read_text())
    assert set(named) <= {IMAGE}
    told = (CI / "README.md").read_text()
    assert file.name == "README.md" or str(file.relative_to(CI)) in told or f"{file.parent.name}/]" in told


def test_the_roles_of_jobs_come_with_the_operator() -> None:
    users = yaml.safe_load_all((CI.parent / "operator" / "users.yaml").read_text())
    rules = {each["metadata"]["name"]: each["rules"] for each in users}
    bindings = [each for each in yaml.safe_load_all((CI / "job.yaml").read_text()) if each["kind"] == "RoleBinding"]
    verbs = {
        (rule["resources"][0], verb)
        for each in bindings
        for rule in rules[each["roleRef"]["name"]]
        for verb in rule["verbs"]
    }
    assert verbs == {
        *(("imagebuilds", verb) for verb in ("create", "get", "list", "watch")),
        ("pods/log", "get"),
        ("secrets", "create"),
    }
