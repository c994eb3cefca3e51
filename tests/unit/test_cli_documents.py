"""Every `imagebuild …` that the documents tell to type is one that the command line takes."""

from __future__ import annotations

import shlex

import click
import pytest

from documents import PAGES, blocks, title
from imagebuild.cli.__main__ import main_group

LINES = [
    pytest.param(found, id=f"{title(page)}: {found}")
    for page in PAGES
    for block in blocks(page)
    if block.info == "sh imagebuild"
    for line in block.text.splitlines()
    if (found := line.partition("imagebuild ")[2]) and not line.startswith(("pipx", "kubectl"))
]


@pytest.mark.parametrize("line", LINES)
def test_every_command_and_flag_is_there(line: str) -> None:
    name, *words = shlex.split(line.split(" <", maxsplit=1)[0].rstrip(")"), comments=True)
    command = main_group.get_command(click.Context(main_group), name)
    assert command is not None, name
    command.make_context(name, [word.rstrip(")") for word in words])


def test_the_documents_show_commands() -> None:
    assert len(LINES) > 10
