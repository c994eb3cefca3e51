"""The operator as a process beside the cluster, where it can be killed and measured; the one inside rests meanwhile."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from testbed.deploy import NAMESPACE, operator_config, without_operator
from testbed.kubectl import Kubectl
from testbed.place import ROOT

LEASE = "imagebuild-outside"
_REST = 0.02
"""Seconds of a processor."""


class OutsideOperator:
    def __init__(self, kubectl: Kubectl, config: Path, log: Path, *arguments: str) -> None:
        self._config, self._log, self._arguments = config, log, arguments
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "operator"),
            "KUBECONFIG": kubectl.place.kubeconfig,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._listen = ""
        self.starts = 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self._listen = _free()
        command = (
            sys.executable,
            "-m",
            "imagebuild.controller",
            f"--config={self._config}",
            f"--listen={self._listen}",
        )
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

    def resident(self, *, most: bool = False) -> int:
        """Its memory in KiB, now or the most since it was started."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        said = dict(line.split(":", 1) for line in lines)
        return int(said["VmHWM" if most else "VmRSS"].split()[0])

    def computed(self) -> float:
        """Seconds of a processor that it has used since it was started, to a hundredth."""
        after_the_name = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, after_the_name[11:13])) / os.sysconf("SC_CLK_TCK")

    def is_ready(self) -> bool:
        try:
            return self._asked("readyz") == b"ok\n"
        except OSError:
            return False  # it says why not, or does not listen yet

    def leads(self) -> bool:
        return self.is_ready() and any(sample.value for sample in self._samples("imagebuild_leader"))

    def requests(self) -> Counter[str]:
        """By its own count, what it has asked the API server for since it was started, such as "create pods"."""
        found: Counter[str] = Counter()
        for sample in self._samples("imagebuild_api_requests_total"):
            found[f"{sample.labels['verb']} {sample.labels['resource']}"] += int(sample.value)
        return found

    def _samples(self, name: str) -> list[Sample]:
        families = text_string_to_metric_families(self._asked("metrics").decode())
        return [sample for family in families for sample in family.samples if sample.name == name]

    def _asked(self, page: str) -> bytes:
        with urllib.request.urlopen(f"http://{self._listen}/{page}", timeout=10) as answer:
            said: bytes = answer.read()
            return said


def rest(operator: OutsideOperator) -> None:
    """Until it has done next to nothing for a second."""
    deadline, used = time.monotonic() + 300, operator.computed()
    while time.monotonic() < deadline:
        time.sleep(1)
        before, used = used, operator.computed()
        if used - before <= _REST:
            return
    raise TimeoutError("the operator has not come to rest in 300 s")


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
