"""`imagebuild completion`: what a shell reads to complete commands, flags and names of ImageBuilds."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from imagebuild.cli.session import HELP


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@HELP
@click.pass_context
def command(ctx: click.Context, /, shell: str) -> None:
    """Print what makes a shell complete.

    \b
    bash: eval "$(imagebuild completion bash)"      in ~/.bashrc
    zsh:  eval "$(imagebuild completion zsh)"       in ~/.zshrc
    fish: imagebuild completion fish > ~/.config/fish/completions/imagebuild.fish
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(ctx.find_root().command, {}, "imagebuild", "_IMAGEBUILD_COMPLETE").source())
