"""Arguments of the Dockerfile on their whole way: from the ImageBuild to the words that a program is started with."""

from __future__ import annotations

import itertools
import json
import sys

from hypothesis import example, given, settings
from hypothesis import strategies as st

import make
from imagebuild.api.names import ANNOTATION_PLAN
from imagebuild.api.status import Run
from imagebuild.contract import plan
from imagebuild.core.pod import pod
from imagebuild.runner import process
from imagebuild.runner.cacherefs import CacheRefs
from imagebuild.runner.command import buildctl
from unit.test_runner_command import INPUTS

SAYS_ITS_WORDS = [sys.executable, "-S", "-E", "-c", "import json, sys; print(json.dumps(sys.argv[1:]))"]
NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,12}", fullmatch=True)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
VALUES = st.one_of(TEXT, st.text(" $(){}'\"\\,=\n\r\t`#%!ü🔑", max_size=30))


HARD = (
    {"LONG": "x" * 102_400, "SPACES": "  a  ", "EMPTY": ""},
    {"OTHERS": "ü🔑" * 10_000, "LINES": "\n\na\r\n\n", "KUBELET": "$(HOME) $$(HOME) $HOME", "TEN": "=a=b"},
    {"SIGNS": "".join(map(chr, range(1, 0x250))), "OPTION": "--opt", "SHELL": "`id` $(id) '\";&|<>*?~#!%{}[]\\"},
)


def command(args: dict[str, str]) -> list[str]:
    """What buildctl is to be started with, through pod, annotation and plan."""
    build = make.make_build({"dockerfile": {"inline": "FROM scratch"}, "args": args, "output": {"discard": True}})
    assert build.spec is not None
    stored = json.loads(json.dumps(pod(build, build.spec, Run(number=1, inputs_hash="0"), 1, make.make_config())))
    read = plan.parse(stored["metadata"]["annotations"][ANNOTATION_PLAN])
    return buildctl(read, INPUTS, (), CacheRefs())


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(st.dictionaries(NAMES, VALUES, max_size=8))
@example(HARD[0])
@example(HARD[1])
@example(HARD[2])
def test_every_value_is_one_word_byte_for_byte(args: dict[str, str]) -> None:
    words = command(args)
    given_as = {f"build-arg:{name}={value}" for name, value in args.items()}
    assert {word for before, word in itertools.pairwise(words) if before == "--opt"} >= given_as
    assert len([word for word in words if word.startswith("build-arg:")]) == len(args)


def test_a_program_sees_the_words_as_they_are() -> None:
    """As the runner starts it: without a shell."""
    words = [word for args in HARD for word in command(args)[1:]]
    running = process.start([*SAYS_ITS_WORDS, *words], {"LC_ALL": "C"})
    said, _ = running.communicate(timeout=60)
    assert json.loads(said) == words
