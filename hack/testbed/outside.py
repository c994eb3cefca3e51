"""The operator as a process beside the cluster, where it can be killed and measured; the one inside rests meanwhile."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testbed.deploy import NAMESPACE, operator_config, without_operator
from testbed.kubectl import Kubectl
from testbed.place import ROOT

LEASE = "imagebuild-outside"


class OutsideOperator:
    def __init__(self, kubectl: Kubectl, config: Path, log: Path, *arguments: str) -> None:
        self._config, self._log, self._arguments = config, log, arguments
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "operator"),
            "KUBECONFIG": kubectl.place.kubeconfig,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        command = (sys.executable, "-m", "imagebuild.controller", f"--config={self._config}", f"--listen={_free()}")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._arguments], env=self._environment, stdout=log, stderr=log
            )
        self.starts += 1

    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start_if_it_has_ended(self) -> None:
        """As a Deployment would."""
        if not self.runs():
            self.start()

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Its exit code after a request to end."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(60)

    def resident(self) -> int:
        """Its memory in KiB."""
        said = subprocess.run(["ps", "-o", "rss=", "-p", str(self.pid)], capture_output=True, text=True, check=True)
        return int(said.stdout)


@contextmanager
def outside_operators(
    kubectl: Kubectl, directory: Path, settings: dict[str, Any], count: int = 1
) -> Iterator[list[OutsideOperator]]:
    """Not yet started; several elect a leader. Afterwards they have ended, and the one in the cluster is back."""
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "config.yaml"
    config.write_text(json.dumps({**operator_config(kubectl.place), **settings}))
    election = (f"--lease-namespace={NAMESPACE}", f"--lease-name={LEASE}") if count > 1 else ()
    operators = [OutsideOperator(kubectl, config, directory / f"operator-{n}.log", *election) for n in range(count)]
    with without_operator(kubectl.within(NAMESPACE)):
        try:
            yield operators
        finally:
            for operator in operators:
                if operator.runs():
                    operator.kill()


def _free() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
