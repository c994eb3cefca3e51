"""How GitOps tools see an ImageBuild, by the program of hack/gitops.

Argo CD by manifests/argocd/health.lua in the Lua that it embeds, Flux by its library kstatus.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from typing import Any, NamedTuple

from localcluster import gobuild, pins, places
from testbed.place import ROOT

_SOURCE = ROOT / "hack" / "gitops"
_SCRIPT = ROOT / "manifests" / "argocd" / "health.lua"


class Health(NamedTuple):
    argo: str
    argo_says: str
    kstatus: str
    kstatus_says: str


def health(objects: Iterable[dict[str, Any]]) -> list[Health]:
    what = "what Argo CD and Flux judge health with"
    program = gobuild.ours(pins.load(), places.find().cache, "gitops", _SOURCE, what)
    lines = "".join(json.dumps(each) + "\n" for each in objects)
    done = subprocess.run([program, _SCRIPT], input=lines, capture_output=True, text=True, timeout=60, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return [Health(*(said[by][key] for by in ("argo", "kstatus") for key in ("status", "message"))) for said in answers]
