"""The command line as a whole: exit codes, tables, what the API server's refusals become, and how quickly it starts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest

from imagebuild.cli import elsewhere, exits, show
from imagebuild.cli.__main__ import run
from imagebuild.cli.commands.list import table
from imagebuild.cli.exits import Exit
from imagebuild.cli.group import COMMANDS, Commands
from imagebuild.cli.refusals import Request, refusal
from imagebuild.contract.reasons import Reason

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BUILT = {
    "metadata": {"name": "shop", "namespace": "team-a", "creationTimestamp": "2026-11-24T11:00:00Z"},
    "status": {
        "phase": "Succeeded",
        "reason": "Built",
        "duration": "21s",
        "cache": {"summary": "9/11"},
        "output": {"digest": "sha256:ab", "images": ["r.io:5000/team/shop:1", "r.io/shop:2"]},
    },
}
NEW = {"metadata": {"name": "a", "namespace": "b", "creationTimestamp": "2026-11-24T11:59:30Z"}}


@pytest.mark.parametrize(
    ("phase", "reason", "code"),
    [
        ("Succeeded", "Built", Exit.OK),
        ("Succeeded", "SomethingNew", Exit.OK),
        ("Failed", "StepFailed", Exit.BUILD_FAILED),
        ("Failed", "RegistryDenied", Exit.CONFIGURATION),
        ("Failed", "NodeLost", Exit.INFRASTRUCTURE),
        ("Failed", "Cancelled", Exit.STOPPED),
        ("Failed", "Silent", Exit.TOO_LATE),
        ("Failed", "SomethingNew", Exit.BUILD_FAILED),
        ("Failed", None, Exit.BUILD_FAILED),
    ],
)
def test_a_build_that_is_over_has_an_exit_code(phase: str, reason: str | None, code: Exit) -> None:
    assert exits.of_build(phase, reason) is code


def test_no_reason_to_fail_ends_as_success() -> None:
    assert Exit.OK not in {exits.of_build("Failed", reason) for reason in Reason}


def test_every_exit_code_is_explained() -> None:
    assert set(exits.MEANINGS) == set(Exit)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_is_there_with_a_help_of_its_own(name: str) -> None:
    group = Commands("imagebuild")
    command = group.get_command(click.Context(group), name)
    assert command is not None
    assert command.name == name
    assert command.help


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--help"], Exit.OK, "Commands:"),
        (["lst"], Exit.USAGE, "Did you mean list?"),
        (["list", "--nonsense"], Exit.USAGE, "--nonsense"),
        (["list", "--kubeconfig", "/nowhere"], Exit.CONFIGURATION, "No cluster is named"),
        (["build", ".", "--load"], Exit.USAGE, "There is no --load: the image is in its registry"),
        (["build", "--cache=true"], Exit.USAGE, "There is no --cache: the branch cache is on by itself"),
        (["list", "--load"], Exit.USAGE, "No such option '--load'"),
        (["build", "--context=git://git.example.com/shop.git"], Exit.USAGE, "goes in the place of SOURCE"),
    ],
)
def test_each_way_out_has_its_code_and_says_why(
    words: list[str], code: Exit, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["/usr/bin/kubectl-imagebuild", *words]) == code
    output = capsys.readouterr()
    assert told in output.out + output.err
    assert "Traceback" not in output.err


def test_flags_of_others_are_those_that_the_documents_name() -> None:
    documents = "".join((ROOT / "docs" / name).read_text() for name in ("migration.md", "cli.md"))
    assert [flag for flag in elsewhere.FLAGS if not re.search(rf"{flag}[` ]", documents)] == []
    own = {option for word in ("build", "create") for option in _options(word)} - {"--dry-run"}
    assert own & set(elsewhere.FLAGS) == set()


def _options(name: str) -> set[str]:
    group = Commands("imagebuild")
    command = group.get_command(click.Context(group), name)
    assert command is not None
    return {option for parameter in command.params for option in parameter.opts}


def test_it_is_called_as_it_was_started(capsys: pytest.CaptureFixture[str]) -> None:
    run(["/usr/bin/kubectl-imagebuild", "--help"])
    assert "Usage: kubectl imagebuild [OPTIONS]" in capsys.readouterr().out


def test_help_loads_neither_the_client_nor_the_models() -> None:
    program = (
        "import sys; from imagebuild.cli.__main__ import run; run(['imagebuild', 'create', '--help']); "
        "print(sorted({'kubernetes', 'pydantic', 'rich', 'yaml', 'urllib3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("imagebuild li", ["list"]),
        ("imagebuild re", ["rebuild", "resume"]),
        ("imagebuild build --if-exists r", ["reuse"]),
    ],
)
def test_a_shell_is_offered_what_fits(typed: str, offered: list[str]) -> None:
    """As its completion asks: by the environment."""
    environment = {**os.environ, "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    done = subprocess.run(
        [sys.executable, "-m", "imagebuild.cli"],
        env={**environment, "_IMAGEBUILD_COMPLETE": "bash_complete"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_program_for_that_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["imagebuild", "completion", shell]) == Exit.OK
    assert f"_IMAGEBUILD_COMPLETE={shell}_complete" in capsys.readouterr().out.replace("'", "")


def test_a_list_has_a_line_for_each_build() -> None:
    assert table([BUILT, NEW], NOW, namespaces=True) == [
        "NAMESPACE   NAME   PHASE       REASON   IMAGE                   CACHED   DURATION   AGE",
        "team-a      shop   Succeeded   Built    r.io:5000/team/shop:1   9/11     21s        60m",
        "b           a                                                                       30s",
    ]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("name", "imagebuild.imagebuild.dev/shop\nimagebuild.imagebuild.dev/a"),
        ("image-ref", "r.io:5000/team/shop@sha256:ab"),
    ],
)
def test_a_list_can_be_names_or_images_by_digest(form: str, text: str) -> None:
    assert show.printed({"items": [BUILT, NEW]}, form) == text


@pytest.mark.parametrize(
    ("since", "text"),
    [
        ("2026-11-24T12:00:05Z", "0s"),
        ("2026-11-24T11:58:30Z", "90s"),
        ("2026-11-24T11:58:00Z", "2m"),
        ("2026-11-24T09:30:00Z", "2h"),
        ("2026-11-20T12:00:00Z", "4d"),
        (None, ""),
    ],
)
def test_an_age_is_said_as_kubectl_says_it(since: str | None, text: str) -> None:
    assert show.age(since, NOW) == text


CEL = {
    "message": "ImageBuild … is invalid: spec…",
    "details": {
        "kind": "ImageBuild",
        "causes": [
            {"field": "spec.output", "message": 'Invalid value: "object": say where the image goes: give images'},
            {"field": "spec.source.git.branch", "message": 'Invalid value: "a: b\\"": must be a name that git accepts'},
        ],
    },
}


POLICY = {
    "message": "imagebuilds.imagebuild.dev …",
    "details": {
        "kind": "imagebuilds",
        "causes": [
            {
                "message": "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: the spec names the Secret a, "
                "which ana may neither get nor use"
            }
        ],
    },
}


@pytest.mark.parametrize(
    ("verb", "resource", "status", "answer", "code", "told"),
    [
        (
            "create",
            "imagebuilds",
            422,
            POLICY,
            Exit.CONFIGURATION,
            "refused:\n  the spec names the Secret a, which ana",
        ),
        ("create", "imagebuilds", 422, CEL, Exit.CONFIGURATION, "spec.output: say where the image goes: give images"),
        ("create", "imagebuilds", 422, CEL, Exit.CONFIGURATION, "spec.source.git.branch: must be a name that git"),
        (
            "create",
            "imagebuilds",
            400,
            {"message": 'strict decoding error: unknown field "spec.sorce"'},
            Exit.CONFIGURATION,
            "spec.sorce: there is no such field",
        ),
        ("list", "imagebuilds", 401, {}, Exit.CONFIGURATION, "Log in"),
        (
            "list",
            "imagebuilds",
            403,
            {"message": 'imagebuilds.imagebuild.dev is forbidden: User "system:anonymous" cannot list resource'},
            Exit.CONFIGURATION,
            "Log in",
        ),
        ("list", "imagebuilds", 403, {}, Exit.CONFIGURATION, "--clusterrole=imagebuild-view --user=YOU --namespace=n"),
        ("create", "imagebuilds", 403, {}, Exit.CONFIGURATION, "--clusterrole=imagebuild-build"),
        ("patch", "imagebuilds", 403, {}, Exit.CONFIGURATION, "--clusterrole=imagebuild-edit"),
        ("get", "pods/log", 403, {}, Exit.CONFIGURATION, "You may not get pods/log in the namespace n"),
        (
            "create",
            "imagebuilds",
            403,
            {"message": "forbidden: exceeded quota: q, requested: count/imagebuilds=1"},
            Exit.CONFIGURATION,
            "A quota is full in the namespace n: q, requested",
        ),
        ("list", "imagebuilds", 404, {}, Exit.CONFIGURATION, "kubectl apply --server-side -k manifests"),
        (
            "create",
            "imagebuilds",
            404,
            {"details": {"kind": "namespaces", "name": "n"}},
            Exit.CONFIGURATION,
            "There is no namespace n.",
        ),
        (
            "get",
            "imagebuilds",
            404,
            {"details": {"kind": "imagebuilds", "name": "x"}},
            Exit.CONFIGURATION,
            "There is no ImageBuild x in the namespace n.",
        ),
        ("create", "imagebuilds", 409, {"details": {}}, Exit.CONFIGURATION, "imagebuild rebuild x"),
        ("get", "imagebuilds", 503, {}, Exit.INFRASTRUCTURE, "Service Unavailable"),
    ],
)
def test_a_refusal_is_a_sentence_with_a_next_step(  # noqa: PLR0917  a table
    verb: str, resource: str, status: int, answer: dict[str, Any], code: Exit, told: str
) -> None:
    error = refusal(Request(verb=verb, resource=resource, namespace="n", name="x"), status, answer)
    assert told in f"{error.message}\n{error.next_step}"
    assert (error.exit_code, error.status) == (code, status)
    assert "{" not in error.message
