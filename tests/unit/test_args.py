"""Arguments of the Dockerfile on their whole way: from the ImageBuild to the words that a program is started with."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

import make
from imagebuild.api.names import ANNOTATION_PLAN
from imagebuild.api.status import Run
from imagebuild.contract import plan
from imagebuild.core.pod import pod
from imagebuild.runner.cacherefs import CacheRefs
from imagebuild.runner.command import Inputs, buildctl

SAYS_ITS_WORDS = [sys.executable, "-S", "-E", "-c", "import json, os, sys; print(json.dumps(sys.argv[1:]))"]
INPUTS = Inputs(
    address="unix:///run/x",
    context=Path("/c"),
    dockerfile=Path("/c"),
    filename="Dockerfile",
    trace=Path("/t"),
    metadata=Path("/m"),
)
NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,12}", fullmatch=True)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
VALUES = st.one_of(TEXT, st.text(" $(){}'\"\\,=\n\r\t`#%!ü🔑", max_size=30))


def words(args: dict[str, str]) -> list[str]:
    """What buildctl is started with, through pod, annotation, plan and the start of a process."""
    build = make.make_build({"dockerfile": {"inline": "FROM scratch"}, "args": args, "output": {"discard": True}})
    assert build.spec is not None
    stored = json.loads(json.dumps(pod(build, build.spec, Run(number=1, inputs_hash="0"), 1, make.make_config())))
    read = plan.parse(stored["metadata"]["annotations"][ANNOTATION_PLAN])
    command = buildctl(read, INPUTS, (), CacheRefs())
    said = subprocess.run([*SAYS_ITS_WORDS, *command[1:]], capture_output=True, check=True, timeout=60).stdout
    found: list[str] = json.loads(said)
    return found


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(st.dictionaries(NAMES, VALUES, max_size=8))
@example({"LONG": "x" * 102_400, "SPACES": "  a  ", "EMPTY": ""})
@example({"OTHERS": "ü🔑" * 10_000, "LINES": "\n\na\r\n\n", "KUBELET": "$(HOME) $$(HOME) $HOME", "TEN": "=a=b"})
def test_every_value_arrives_byte_for_byte(args: dict[str, str]) -> None:
    found = words(args)
    given_as = {f"build-arg:{name}={value}" for name, value in args.items()}
    assert {word for before, word in itertools.pairwise(found) if before == "--opt"} >= given_as
    assert len([word for word in found if word.startswith("build-arg:")]) == len(args)
