"""The table of commands, each imported only when it is called: --help and completion pay for no client library."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from imagebuild.cli.exits import Exit

COMMANDS = {
    "build": "Build an image, follow the build, and exit as it ends",
    "create": "Create an ImageBuild, or print it with --dry-run",
    "list": "ImageBuilds, newest first",
    "describe": "Why a build waits or has failed, and what to do",
    "logs": "The log of a build; -f follows it over all attempts",
    "timeline": "Where the time of a build went, step by step",
    "wait": "Wait until a build is over, and exit as it has ended",
    "cancel": "Stop a build",
    "rebuild": "Build the same once more",
    "suspend": "Start nothing until it is resumed",
    "resume": "Go on with what was suspended",
    "policy": "What the administrator has set for a namespace, and whether a build would be refused",
    "doctor": "Which isolation mode the nodes can run, and what to do where they cannot",
    "gather": "What a bug report needs, in one file, without secrets",
    "completion": "Completion for bash, zsh and fish",
}
"""Name and short help; the module of the same name in commands/ has `command`."""


class Commands(click.Group):
    def make_context(self, *words: Any, **more: Any) -> click.Context:
        with _read_enough():
            return super().make_context(*words, **more)

    def invoke(self, ctx: click.Context) -> Any:
        with _read_enough():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"imagebuild.cli.commands.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            if args[0] == "delete":
                ctx.fail("There is no command delete: kubectl delete imagebuild NAME does it.")
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            ctx.fail(f"There is no command {args[0]}.{hint}")
        return super().resolve_command(ctx, args)


@contextmanager
def _read_enough() -> Iterator[None]:
    """A reader that goes is no fault: click itself would end with 1, which says that the Dockerfile is wrong."""
    try:
        yield
    except BrokenPipeError:
        raise click.exceptions.Exit(Exit.OK) from None
