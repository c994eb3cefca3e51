"""Where a command works: the options that every command has, and the cluster behind them, once it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from imagebuild.cli.cluster import Cluster

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class Session:
    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    _cluster: Cluster | None = field(default=None, repr=False)

    @property
    def cluster(self) -> Cluster:
        """Connected to when a command needs it: its libraries take longer to load than all of the rest."""
        if self._cluster is None:
            from imagebuild.cli.cluster import Cluster  # noqa: PLC0415 see above

            self._cluster = Cluster.connect(self.kubeconfig, self.context, self.namespace)
        return self._cluster


HELP = click.help_option("-h", "--help")
"""Said by each command itself: click takes the words from whoever asks first, and remembers them."""


def place(command: Command) -> Command:
    """-n, --context and --kubeconfig, before the command's name or after it, and -h."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _remember(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if param.name == "context" and "://" in (value or ""):
        raise click.BadParameter(f"this is the kubeconfig's, as kubectl has it; {value} goes in the place of SOURCE")
    session = ctx.ensure_object(Session)
    if value is not None and param.name is not None:
        setattr(session, param.name, value)


_OPTIONS = [
    click.option(
        "-n",
        "--namespace",
        expose_value=False,
        callback=_remember,
        help="Default: the context's, or default.",
    ),
    click.option(
        "--context", expose_value=False, callback=_remember, help="Context of the kubeconfig. Default: the current one."
    ),
    click.option(
        "--kubeconfig",
        expose_value=False,
        callback=_remember,
        type=click.Path(dir_okay=False),
        help="Default: KUBECONFIG, ~/.kube/config, then the pod's service account.",
    ),
    HELP,
]

in_session = click.make_pass_decorator(Session, ensure=True)
