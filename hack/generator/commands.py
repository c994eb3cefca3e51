"""docs/commands.md: every command with its flags, and every exit code, from the code that has them."""

from __future__ import annotations

import click

from imagebuild.cli.__main__ import main_group
from imagebuild.cli.exits import MEANINGS
from imagebuild.contract.reasons import TABLE

_INTRODUCTION = """\
# Commands

`imagebuild COMMAND`, or `kubectl imagebuild COMMAND`: the same program. By task: [cli.md](cli.md).

"""
_EXITS = """\
## Exit codes

Of `build`, `wait`, `logs -f` and `rebuild -f`: how the build has ended. Of all: what kept the command from its work.

"""
_WIDTH = 110


def commands() -> str:
    settings = {**main_group.context_settings, "terminal_width": _WIDTH, "max_content_width": _WIDTH}
    parent = click.Context(main_group, info_name="imagebuild", **settings)
    parts = [_help(parent, main_group, name) for name in main_group.list_commands(parent)]
    return _INTRODUCTION + "".join(parts) + _EXITS + _codes()


def _help(parent: click.Context, group: click.Group, name: str) -> str:
    """Of a command, or of all in a group of its own."""
    command = group.get_command(parent, name)
    assert command is not None
    context = click.Context(command, info_name=name, parent=parent, terminal_width=_WIDTH, max_content_width=_WIDTH)
    if isinstance(command, click.Group):
        return "".join(_help(context, command, each) for each in command.list_commands(context))
    title = context.command_path.removeprefix("imagebuild ")
    return f"## {title}\n\n```\n{command.get_help(context).rstrip()}\n```\n\n"


def _codes() -> str:
    rows = ["| code | meaning | reasons |", "| --- | --- | --- |"]
    for code, meaning in MEANINGS.items():
        reasons = ", ".join(f"`{reason.value}`" for reason, row in TABLE.items() if row.exit_code == code)
        rows.append(f"| {code.value} | {meaning} | {reasons} |")
    return "\n".join(rows) + "\n"
