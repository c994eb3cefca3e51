"""The entry of `imagebuild` and `kubectl imagebuild`: the group of commands, and how each way out ends."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import click

from imagebuild import __version__
from imagebuild.cli import elsewhere
from imagebuild.cli.exits import Exit
from imagebuild.cli.group import Commands
from imagebuild.cli.session import place
from imagebuild.cli.terminal import harmless
from imagebuild.cli.unread import let_go

_WIDTH = {"max_content_width": 120}


@click.group(cls=Commands, context_settings=_WIDTH)
@click.version_option(__version__, message="%(version)s")
@place
def main_group() -> None:
    """Container images, built in the cluster by rootless BuildKit.

    \b
    imagebuild build https://git.example.com/shop.git -t registry.example.com/shop:1
    imagebuild describe shop-x7k2p
    imagebuild logs -f shop-x7k2p
    """


def main() -> None:
    code = run(sys.argv)
    for stream in filter(None, (sys.stdout, sys.stderr)):
        let_go(stream)
    sys.exit(code)


def run(argv: list[str]) -> int:
    """The exit code. What click would end the process with is told by the table of exit codes instead."""
    name = Path(argv[0]).stem.replace("kubectl-imagebuild", "kubectl imagebuild").replace("__main__", "imagebuild")
    try:
        code = main_group.main(argv[1:], prog_name=name, complete_var="_IMAGEBUILD_COMPLETE", standalone_mode=False)
    except click.UsageError as error:
        told = elsewhere.told(error).format_message()
        _show(click.UsageError(harmless(told), error.ctx))  # words of a file may be in it
        return Exit.USAGE
    except click.ClickException as error:
        _show(error)
        return error.exit_code
    except click.Abort:
        return Exit.INTERRUPTED
    except BrokenPipeError:  # of a shell that completes, which click answers before all commands
        return Exit.OK
    return code if isinstance(code, int) else Exit.OK


def _show(error: click.ClickException) -> None:
    """Its exit code counts also where nobody reads the words."""
    with suppress(BrokenPipeError):
        error.show()


if __name__ == "__main__":
    main()
