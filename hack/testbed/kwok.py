"""Build pods that only seem to run: a node kept by kwok, on which hundreds of builds cost next to nothing.

What becomes of a build is in its name, such as `evicted-17`. The digest of one that succeeds is that of its pod's name,
so that its status can be told from any other's.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imagebuild.api import names
from imagebuild.contract import layout
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import BuildResult, Details, Essentials, Failure, dump
from localcluster import gobuild, pins, places
from testbed.kubectl import Document, Kubectl, until

NODE = "imagebuild-simulated"
SIMULATED = {"imagebuild.test/node": "simulated"}
REAL = {"kubernetes.io/os": "linux"}
"""Node selectors. Every kubelet gives its node this label; the simulated node has none, and so no DaemonSets either."""
_TAINT = {"key": "imagebuild.test/simulated", "effect": "NoSchedule"}
_DIGEST = "sha256:%s"
_ROOM = {"cpu": "1k", "memory": "1Ti", "pods": "100k", "ephemeral-storage": "100Ti"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of a build with this word before the first dash of its name."""

    phase: str
    reason: Reason
    attempts: int = 1


FATES = {
    "ok": Fate(phase="Succeeded", reason=Reason.BUILT),
    "fails": Fate(phase="Failed", reason=Reason.STEP_FAILED),
    "evicted": Fate(phase="Succeeded", reason=Reason.BUILT, attempts=2),
    "lost": Fate(phase="Succeeded", reason=Reason.BUILT, attempts=2),
}
"""Evicted: the kubelet says so of the first pod. Lost: somebody deletes the first pod."""


def build(name: str) -> Document:
    """An ImageBuild whose pods the simulated node gets."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": name},
        "spec": {
            "dockerfile": {"inline": f"FROM busybox:1.37\nRUN echo {name} > /name\n"},
            "output": {"discard": True},
            "pod": {"nodeSelector": SIMULATED, "tolerations": [{**_TAINT, "operator": "Exists"}]},
        },
    }


def result(pod_name: str) -> str:
    """What a pod ends with that has built an image."""
    return _result(digest(pod_name))


def digest(pod_name: str) -> str:
    return _DIGEST % hashlib.sha256(pod_name.encode()).hexdigest()


@contextmanager
def simulated_node(kubectl: Kubectl, directory: Path, *, seconds: float | None) -> Iterator[None]:
    """A node whose build pods live so long, and up to twice that, or do nothing by themselves. It gets no others."""
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "kwok.yaml"
    config.write_text(
        "\n---\n".join(json.dumps(stage) for stage in stages(None if seconds is None else round(seconds * 1000)))
    )
    program = gobuild.binary(pins.load(), places.find().cache, "kwok")
    selector = ",".join(f"{key}={value}" for key, value in SIMULATED.items())
    command = [str(program), f"--config={config}", f"--kubeconfig={kubectl.place.kubeconfig}"]
    manage = [f"--manage-nodes-with-label-selector={selector}", "--node-lease-duration-seconds=40"]
    kubectl("delete", "node", NODE, "--ignore-not-found")
    kubectl.create(_node())
    try:
        with (directory / "kwok.log").open("w") as log, subprocess.Popen([*command, *manage], stderr=log) as kwok:
            try:
                until("the simulated node to have no other taint", lambda: _schedulable(kubectl), seconds=60)
                yield
            finally:
                kwok.kill()
    finally:
        kubectl("delete", "node", NODE)


def _node() -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "labels": SIMULATED},
        "spec": {"taints": [_TAINT]},
        "status": {
            "capacity": _ROOM,
            "allocatable": _ROOM,
        },
    }


def _schedulable(kubectl: Kubectl) -> bool:
    return [taint["key"] for taint in kubectl.get("node", NODE)["spec"]["taints"]] == [_TAINT["key"]]


def stages(life: int | None) -> list[Document]:
    """kwok's configuration: which objects it takes how far, after how many milliseconds, with which status."""
    ready = '.status.conditions.[] | select(.type == "Ready") | .status'
    return [
        _stage("Node", "is-ready", {"matchExpressions": [_where(ready, "True", "NotIn")]}, 0, _READY),
        *([] if life is None else _lives(life)),
        _stage("Pod", "goes", _build_pod({**_LIVE, "operator": "Exists"}), 0),
    ]


def _lives(life: int) -> list[Document]:
    first_of_lost = f'(.metadata.name | startswith("lost-")) and (.metadata.labels["{names.LABEL_ATTEMPT}"] == "1")'
    running = [_where(".status.phase", "Running"), _LIVE]
    return [
        _stage("Pod", "runs", _build_pod(_where(".status.phase", "Pending"), _LIVE), 0, _filled(_RUNS)),
        _stage("Pod", "ends", _build_pod(*running, _where(first_of_lost, "false")), life, _filled(_ENDS)),
        _stage("Pod", "is-lost", _build_pod(*running, _where(first_of_lost, "true")), life),
    ]


def _stage(kind: str, name: str, selector: Document, delay: int, status: str = "") -> Document:
    """Without a status: the object is deleted."""
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": f"{kind.lower()}-{name}"},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": selector,
            "delay": {"durationMilliseconds": delay, "jitterDurationMilliseconds": 2 * delay},
            "next": {"statusTemplate": status} if status else {"delete": True},
        },
    }


def _build_pod(*expressions: Document) -> Document:
    attempt = {"key": f'.metadata.labels["{names.LABEL_ATTEMPT}"]', "operator": "Exists"}
    return {"matchExpressions": [attempt, *expressions]}


def _where(key: str, value: str, operator: str = "In") -> Document:
    return {"key": key, "operator": operator, "values": [value]}


_LIVE = {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"}

# Go templates, filled by kwok from the pod's document.
_READY = """
conditions:
- type: Ready
  status: "True"
  reason: Simulated
  message: by kwok
  lastHeartbeatTime: {{ Now | Quote }}
  lastTransitionTime: {{ Now | Quote }}
phase: Running
"""
_RUNS = """
phase: Running
startTime: {{ Now | Quote }}
containerStatuses:
- name: @CONTAINER@
  image: simulated
  imageID: simulated
  ready: true
  restartCount: 0
  state: {running: {startedAt: {{ Now | Quote }}}}
"""
_ENDS = """
{{ $first := eq (index .metadata.labels "@ATTEMPT@") "1" }}
{{ $evicted := and $first (hasPrefix "evicted-" .metadata.name) }}
{{ $fails := hasPrefix "fails-" .metadata.name }}
{{ $started := (index .status.containerStatuses 0).state.running.startedAt }}
phase: {{ if or $evicted $fails }}Failed{{ else }}Succeeded{{ end }}
{{ if $evicted }}
reason: Evicted
message: The node was low on resource.
{{ end }}
containerStatuses:
- name: @CONTAINER@
  image: simulated
  imageID: simulated
  ready: false
  restartCount: 0
  state:
    running: null
    terminated:
      startedAt: {{ $started | Quote }}
      finishedAt: {{ Now | Quote }}
{{ if $evicted }}
      exitCode: 137
      reason: Error
{{ else if $fails }}
      exitCode: 1
      reason: Error
      message: {{ @FAILED@ | Quote }}
{{ else }}
      exitCode: 0
      reason: Completed
      message: {{ printf @BUILT@ (sha256sum .metadata.name) | Quote }}
{{ end }}
"""


def _result(built: str) -> str:
    essentials = Essentials(reason=Reason.BUILT, digest=built)
    return dump(BuildResult(essentials=essentials, details=Details(images=("simulated:1",))))


def _filled(template: str) -> str:
    failed = Essentials(reason=Reason.STEP_FAILED)
    failure = Failure(step="RUN false", exit_code=1)
    values = {
        "CONTAINER": layout.CONTAINER,
        "ATTEMPT": names.LABEL_ATTEMPT,
        # JSON's string literals are Go's, too
        "BUILT": json.dumps(_result(_DIGEST)),
        "FAILED": json.dumps(dump(BuildResult(essentials=failed, details=Details(failure=failure)))),
    }
    for name, value in values.items():
        template = template.replace(f"@{name}@", value)
    return template
