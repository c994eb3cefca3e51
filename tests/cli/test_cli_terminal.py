"""What others have written, such as a fork in the names of its files, moves no cursor and changes no title."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from cli.cliserver import Api, kubeconfig
from imagebuild.cli import show
from imagebuild.cli.__main__ import run
from imagebuild.cli.exits import Exit
from imagebuild.cli.finish import finish
from imagebuild.cli.terminal import Screen
from imagebuild.cli.view import View

STEERS = "a\x1b]0;title\x07\x9b2J\u202e\rb"
BUILDS = "/apis/imagebuild.dev/v1alpha1/namespaces/team-a/imagebuilds"


def build(phase: str = "Failed", reason: str = "StepFailed", **status: Any) -> dict[str, Any]:
    metadata = {"name": "shop", "namespace": "team-a", "generation": 1, "creationTimestamp": "2026-11-24T11:00:00Z"}
    return {"metadata": metadata, "status": {"observedGeneration": 1, "phase": phase, "reason": reason, **status}}


def unseen(text: str) -> list[str]:
    return [character for character in text if not character.isprintable() and character != "\n"]


PUSHED = {"images": [f"r.io/{STEERS}:1"], "digest": f"sha256:{STEERS}"}


@pytest.mark.parametrize(
    ("document", "form"),
    [
        pytest.param(build(message=STEERS, failure={"step": STEERS, "logTail": STEERS}), None, id="a failure"),
        pytest.param(build("Succeeded", "Built", output=PUSHED), None, id="images"),
        pytest.param(build("Succeeded", "Built", output=PUSHED), "image-ref", id="a reference"),
        pytest.param(build(message=STEERS), "json", id="JSON"),
        pytest.param(build(message="\x1b]0;title\x07\x9b2J"), "yaml", id="YAML"),
    ],
)
def test_how_a_build_has_ended_is_told_with_nothing_that_steers(
    document: dict[str, Any], form: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(View(document), Screen(io.StringIO()), form, log_shown=False)
    told = capsys.readouterr()
    assert unseen(told.out + told.err) == []
    assert "title" in told.out + told.err


def test_json_is_the_same_document_with_nothing_that_steers() -> None:
    text = show.to_json({"message": STEERS, "name": "größe"})
    assert json.loads(text) == {"message": STEERS, "name": "größe"}
    assert unseen(text) == []
    assert "größe" in text


def test_a_cell_is_one_line_with_nothing_that_steers() -> None:
    (line, other) = show.columns([["a\x1b[2Jb\rc\nd", "e"], ["f", "g"]])
    assert unseen(line) == []
    assert line.endswith(" c d   e")
    assert other.index("g") == line.index("e", line.index("d"))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param(["list"], Exit.OK, id="a table"),
        pytest.param(["cancel", "shop"], Exit.OK, id="a word"),
        pytest.param(["create", "--spec", "SPEC"], Exit.USAGE, id="the words of a file"),
    ],
)
def test_no_command_passes_on_what_steers(
    words: list[str], code: Exit, api: Api, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    found = build(reason=STEERS, output=PUSHED)
    api.answers |= {BUILDS: (200, {"metadata": {}, "items": [found]}), f"{BUILDS}/shop": (200, found)}
    (tmp_path / "spec").write_text(json.dumps({"kind": STEERS}))
    named = [str(tmp_path / "spec") if word == "SPEC" else word for word in words]
    assert run(["imagebuild", *named, "--kubeconfig", kubeconfig(tmp_path, api.url)]) == code
    told = capsys.readouterr()
    assert unseen(told.out + told.err) == []
    assert "title" in told.out + told.err
