"""`imagebuild-operator`: flags and configuration file in, a running operator out."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

import kopf

from imagebuild import __version__
from imagebuild.controller.app import App
from imagebuild.controller.cluster import Cluster, NoClusterError
from imagebuild.controller.configfile import ConfigError, ConfigFile
from imagebuild.controller.handlers import Login, registry, service_account_or_kubeconfig
from imagebuild.controller.pace import Pace


def main(argv: list[str] | None = None) -> int:
    """0 after a stop that was asked for, 1 where the operator must be started again, 2 for a bad configuration."""
    flags = _parser().parse_args(argv)
    logging.basicConfig(
        level=flags.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stdout
    )
    try:
        return asyncio.run(_run(ConfigFile(flags.config), flags.listen))
    except (ConfigError, NoClusterError) as error:
        print(f"imagebuild-operator: {error}", file=sys.stderr)
        return 2


async def _run(config: ConfigFile, listen: str) -> int:
    return await operate(await Cluster.connect(), config, listen)


async def operate(
    cluster: Cluster,
    config: ConfigFile,
    listen: str,
    *,
    login: Login = service_account_or_kubeconfig,
    pace: Pace | None = None,
) -> int:
    """Until it is told to stop by a signal, or something ends that should not: the exit code."""
    stop = asyncio.Event()
    app = App(cluster, config, stop, pace or Pace())
    logging.getLogger(__name__).info("imagebuild-operator %s, isolation %s", __version__, config.current.isolation)
    await kopf.operator(
        registry=registry(app, login),
        standalone=True,
        clusterwide=True,
        liveness_endpoint=f"http://{listen}/healthz",
        stop_flag=stop,
    )
    return 1 if app.broken else 0


def _parser() -> argparse.ArgumentParser:
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
    parser.add_argument("--listen", default="0.0.0.0:8080", help="address of /healthz (default: %(default)s)")
    parser.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    return parser


if __name__ == "__main__":
    sys.exit(main())
