"""What the Dockerfile is told: arguments byte for byte, and what no program can be told."""

from __future__ import annotations

import pytest

from e2e.story import Story

pytestmark = pytest.mark.cluster

VALUES = {
    "DOLLARS": "$HOME ${HOME} $(HOME) $$(HOME) $",
    "QUOTES": "'q' \"d\" `b` \\ \\n",
    "COMMAS": 'a,b,"c,d",=e=f',
    "LINES": "one\ntwo\r\n\n\tthree\n\n",
    "SPACES": "  two before and two after  ",
    "UNICODE": "ü 日本 🔑 e\u0301 \u2028",
    "SHELL": "; exit 1 # && false | ! * ? ~ [a] <x >y",
    "LONG": "0123456789" * 10_240,
    "EMPTY": "",
    "CONTROL": "\x01\x1b[31m",  # kubectl's server-side apply takes no \x7f
}


def test_every_argument_arrives_byte_for_byte(story: Story) -> None:
    check = "".join(f'ARG {name}\nRUN printf %s "${name}" | cmp - /want/{name}\n' for name in VALUES)
    data = {"Dockerfile": f"FROM busybox:1.37\nCOPY . /want\n{check}", **VALUES}
    story.kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "context"}, "data": data})
    story.apply({"source": {"configMap": {"name": "context"}}, "args": VALUES, "output": {"discard": True}})
    assert story.succeeds()["cache"]["total"] == 1 + len(VALUES)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        pytest.param({"args": {"A": "a\0b"}}, "spec.args.A: has a NUL character", id="in an argument"),
        pytest.param({"dockerfile": {"path": "a\0b"}}, "spec.dockerfile.path: has a NUL character", id="in a path"),
    ],
)
def test_a_nul_is_refused_with_its_field_and_without_a_pod(story: Story, fields: dict[str, object], where: str) -> None:
    story.apply({**story.inline(), **fields})
    assert where in story.fails("SpecInvalid")["message"]
    assert story.pods() == []


def test_arguments_that_do_not_fit_are_refused_with_both_sizes(story: Story) -> None:
    story.apply(story.inline(args={"A": "a" * 102_400, "B": "b" * 102_400}))
    assert "and 131,072 fit; move large values of args" in story.fails("SpecInvalid")["message"]
    assert story.pods() == []
