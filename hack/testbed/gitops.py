"""What GitOps tools make of an ImageBuild, by the program of hack/gitops, which has their own code in it.

Argo CD judges, compares and syncs as manifests/argocd/argocd-cm.yaml lets it; Flux judges by its library kstatus.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from localcluster import gobuild, pins, places
from testbed.kubectl import Kubectl
from testbed.place import ROOT

_SOURCE = ROOT / "hack" / "gitops"
_CONFIG_MAP = ROOT / "manifests" / "argocd" / "argocd-cm.yaml"
_LIMIT = 300.0


class Health(NamedTuple):
    argo: str
    argo_says: str
    kstatus: str
    kstatus_says: str


class Outcome(NamedTuple):
    """Of one look that Argo CD takes at an application."""

    out_of_sync: list[str]
    """What differs, such as ConfigMap/after."""
    phase: str
    """How its sync has ended; empty where nothing differs, and so nothing was done."""
    says: str


def health(objects: Iterable[dict[str, Any]]) -> list[Health]:
    lines = "".join(json.dumps(each) + "\n" for each in objects)
    done = subprocess.run(
        [_program(), "health", _CONFIG_MAP], input=lines, capture_output=True, text=True, timeout=60, check=True
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return [Health(*(said[by][key] for by in ("argo", "kstatus") for key in ("status", "message"))) for said in answers]


def acted(action: str, before: dict[str, Any]) -> tuple[set[str], dict[str, Any]]:
    """The actions that Argo CD offers for an object, and what it writes when somebody chooses this one."""
    words = [str(_program()), "act", str(_CONFIG_MAP), action]
    done = subprocess.run(words, input=json.dumps(before), capture_output=True, text=True, timeout=60, check=True)
    said = json.loads(done.stdout)
    return set(said["offered"]), said["object"]


class Application:
    """An Application of Argo CD with automated sync, self-heal and pruning; what is in git is a directory."""

    def __init__(self, kubectl: Kubectl, directory: Path, *options: str) -> None:
        where = (f"--kubeconfig={kubectl.place.kubeconfig}", f"--namespace={kubectl.namespace}")
        self._command = [_program(), "sync", *where, *options]
        self._directory = directory

    def write(self, name: str, document: dict[str, Any] | None) -> None:
        """None: it is there no longer."""
        file = self._directory / f"{name}.yaml"
        if document is None:
            file.unlink()
        else:
            file.write_text(json.dumps(document))

    def begins(self, *options: str) -> subprocess.Popen[str]:
        """For `ended`: a sync waits for builds."""
        words = [str(word) for word in (*self._command, *options, _CONFIG_MAP, self._directory)]
        return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    def looks(self, *options: str) -> Outcome:
        return ended(self.begins(*options))


def ended(process: subprocess.Popen[str]) -> Outcome:
    with process:
        said, _ = process.communicate(timeout=_LIMIT)
    assert process.returncode == 0, said
    document = json.loads(said)
    return Outcome(document["outOfSync"], document["phase"], document["message"])


def _program() -> Path:
    what = "what Argo CD and Flux do: parts of them"
    return gobuild.ours(pins.load(), places.find().cache, "gitops", _SOURCE, what)
