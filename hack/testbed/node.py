"""The inside of the cluster's node, for tests that hurt it: only that of hack/cluster, which is a container here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcluster import engine, places
from localcluster.engine import Engine
from localcluster.places import NODE
from localcluster.work import Failure
from testbed.kubectl import Kubectl, KubectlError, until

_NEXT = "run hack/cluster up, and these tests without a KUBECONFIG of your own; all other tests run on any cluster"
_STOP_KUBELET = """
if [ -d /run/systemd/system ]; then
    systemctl stop kubelet
else  # this node's entrypoint starts a kubelet again as soon as that has a configuration
    mv /var/lib/kubelet/config.yaml /var/lib/kubelet/config.yaml.away
    pkill -KILL -x kubelet
fi
"""
_START_KUBELET = """
if [ -d /run/systemd/system ]; then
    systemctl start kubelet
else
    mv /var/lib/kubelet/config.yaml.away /var/lib/kubelet/config.yaml
fi
"""


class Node:
    def __init__(self, kubectl: Kubectl) -> None:
        where = places.find()
        if kubectl.place.kubeconfig != str(where.kubeconfig):
            raise Failure("reaching into the node", "this is not the cluster of hack/cluster", _NEXT)
        found = engine.running(where)
        if found is None:
            raise Failure("reaching into the node", "no Docker engine answers", _NEXT)
        self._engine: Engine = found
        self._kubectl = kubectl

    def run(self, script: str) -> str:
        return self._engine.docker("exec", NODE, "sh", "-ec", script)

    def keep_pods_apart(self) -> None:
        """On ext4, has what each pod writes begin in another part of the disk.

        An ext4 without a journal gives out no inode that was deleted within the last five minutes, and passes each of
        them by on its way: to create 20,000 files takes 20 times as long where somebody has just deleted as many
        (fs/ext4/ialloc.c, `recently_deleted`). The node's image has no chattr.
        """
        format_ = '{{range .Mounts}}{{if eq .Destination "/var"}}{{.Source}}{{end}}{{end}}'
        directory = Path(self._engine.docker("inspect", "--format", format_, NODE).strip(), "lib", "kubelet", "pods")
        subprocess.run(["chattr", "+T", directory], check=False, capture_output=True)  # others need it not, and cannot

    def kill(self, program: str) -> None:
        self.run(f"pkill -KILL -x {program}")

    def pid(self, program: str) -> str:
        """Of its only process, or nothing where there is none."""
        return self.run(f"pgrep -x {program} || true").strip()

    @contextmanager
    def paused(self, program: str) -> Iterator[None]:
        self.run(f"pkill -STOP -x {program}")
        try:
            yield
        finally:
            self.run(f"pkill -CONT -x {program}")

    @contextmanager
    def without_kubelet(self) -> Iterator[None]:
        self.run(_STOP_KUBELET)
        try:
            yield
        finally:
            self.run(_START_KUBELET)

    def end_waiting_steps(self) -> None:
        """Those of e2e.story.WAITS, where neither kubelet nor API server would pass it on."""
        until(
            "the waiting step", lambda: self.run("pkill -KILL -xf '/bin/sleep 86400' && echo ended || true"), seconds=60
        )

    def answers(self) -> bool:
        """Does the API server, etcd included?"""
        try:
            return "ok" in self._kubectl("get", "--raw", "/readyz", "--request-timeout=5s")
        except KubectlError:
            return False

    def ready(self) -> str:
        """The node's condition: True, False, or Unknown where its kubelet has been silent for too long."""
        conditions = self._kubectl.get("node", NODE)["status"]["conditions"]
        return next(str(each["status"]) for each in conditions if each["type"] == "Ready")
