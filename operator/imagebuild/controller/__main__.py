"""`imagebuild-operator`: flags and configuration file in, a running operator out."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import re
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kopf

from imagebuild import __version__
from imagebuild.controller import health, logs
from imagebuild.controller.app import App
from imagebuild.controller.cluster import Cluster, NoClusterError
from imagebuild.controller.configfile import ConfigError, ConfigFile
from imagebuild.controller.endpoints import serving
from imagebuild.controller.handlers import Login, registry, service_account_or_kubeconfig
from imagebuild.controller.lease import Election, Lease, leadership
from imagebuild.controller.metrics import Metrics
from imagebuild.controller.pace import Pace
from imagebuild.controller.served import ServedSchema

_log = logging.getLogger(__name__)
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""The kubelet writes it into each pod with a service account."""
_NAMESPACE = re.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def main(argv: list[str] | None = None) -> int:
    """0 after a stop that was asked for, 1 where the operator must be started again, 2 for a bad configuration."""
    flags = parser().parse_args(argv)
    logs.configure(flags.log_level, flags.log_format)
    try:
        return asyncio.run(_run(ConfigFile(flags.config), flags, election_of(flags, _OWN_NAMESPACE)))
    except (ConfigError, NoClusterError) as error:
        print(f"imagebuild-operator: {error}", file=sys.stderr)
        return 2


async def _run(config: ConfigFile, flags: argparse.Namespace, election: Election | None) -> int:
    cluster = (await Cluster.connect()).within(flags.namespaces)
    return await operate(cluster, config, flags.listen, election=election)


def _announce(config: ConfigFile, cluster: Cluster) -> None:
    where = ", ".join(cluster.namespaces) or "all namespaces"
    _log.info("imagebuild-operator %s, isolation %s, in %s", __version__, config.current.isolation, where)


async def operate(
    cluster: Cluster,
    config: ConfigFile,
    listen: str,
    *,
    login: Login = service_account_or_kubeconfig,
    pace: Pace | None = None,
    election: Election | None = None,
    stop: asyncio.Event | None = None,
    end: Callable[[int], Any] = os._exit,
) -> int:
    """Until it is told to stop, by a signal or `stop`, or something ends that should not: the exit code.

    With an election it reads and watches from the start, as who stands by for another does, and works only while it
    leads. `end` ends the process at once: nothing may be written after that.
    """
    stop = stop or asyncio.Event()
    metrics = Metrics()
    observed = cluster.observed(metrics.called)
    lease = Lease(observed, election) if election else None
    pace = pace or Pace()
    served = ServedSchema(observed, pace.reconnect)
    app = App(observed, config, stop, pace, metrics=metrics, lease=lease, lost=served.lost)
    _announce(config, cluster)
    _stop_on_signals(stop)
    try:
        async with serving(
            listen,
            lambda: health.not_alive(app, lease),
            lambda: served.problem or health.not_ready(app, lease),
            metrics.exposition,
        ):
            if not await served.complete(stop):
                return 0
            async with leadership(lease, app, end) if lease else contextlib.nullcontext():
                await _watch(registry(app, login), cluster.namespaces, stop)
    finally:
        await cluster.close()
    return 1 if app.broken else 0


async def _watch(handlers: kopf.OperatorRegistry, namespaces: tuple[str, ...], stop: asyncio.Event) -> None:
    """Until it is told to stop. Nothing of kopf's scans the cluster, so that Roles in the namespaces are enough."""
    await kopf.operator(
        registry=handlers, standalone=True, clusterwide=not namespaces, namespaces=namespaces, stop_flag=stop
    )


def _stop_on_signals(stop: asyncio.Event) -> None:
    """Until kopf, which is not started before the CRD is complete, puts its own handlers there."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)


def election_of(flags: argparse.Namespace, own_namespace: Path) -> Election | None:
    """In a cluster by default, where there may be more of us; in a shell only where a namespace is named."""
    if flags.no_leader_election:
        return None
    if not flags.lease_namespace and not own_namespace.exists():
        return None
    return Election(
        namespace=flags.lease_namespace or own_namespace.read_text().strip(),
        name=flags.lease_name,
        holder=f"{socket.gethostname()}-{secrets.token_hex(4)}",
    )


def _namespace(name: str) -> str:
    """kopf would take others for patterns, and watch nothing without a word."""
    if not _NAMESPACE.fullmatch(name):
        raise argparse.ArgumentTypeError(f"{name!r} is not the name of a namespace")
    return name


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="imagebuild-operator", description="Builds container images for the ImageBuilds of a cluster."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("/etc/imagebuild/config.yaml"),
        help="configuration file (default: %(default)s)",
    )
    parser.add_argument(
        "--namespace",
        dest="namespaces",
        metavar="NAMESPACE",
        action="append",
        default=[],
        type=_namespace,
        help="work in this namespace only; can be given several times (default: in all, which needs a ClusterRole)",
    )
    parser.add_argument(
        "--listen", default="0.0.0.0:8080", help="address of the probes and /metrics (default: %(default)s)"
    )
    parser.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    parser.add_argument("--log-format", default="text", choices=logs.FORMATS)
    parser.add_argument(
        "--lease-namespace", default="", help="where the lease of the leader election is (default: the pod's namespace)"
    )
    parser.add_argument("--lease-name", default="imagebuild-operator-leader", help="its name (default: %(default)s)")
    parser.add_argument(
        "--no-leader-election",
        action="store_true",
        help="work at once: only where no other operator runs. So it is outside of a cluster without --lease-namespace",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
