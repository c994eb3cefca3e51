"""Which ImageBuild is this job's: named after the job's execution and what is built, owned by the job's pod. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from imagebuild.api.names import ANNOTATION_JOB, ANNOTATION_TRACEPARENT
from imagebuild.cli.ci.facts import Facts
from imagebuild.cli.ci.pod import Pod
from imagebuild.cli.spec import name_for
from imagebuild.contract import spans

__all__ = ["metadata", "name"]

_HASH = 10


def name(facts: Facts, pod: Pod | None, spec: Mapping[str, Any]) -> str:
    """The same for the same command in the same execution of a job, and for nothing else."""
    parts = [*facts.job, pod.uid if pod else "", json.dumps(spec, sort_keys=True)]
    return name_for(spec, hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_HASH])


def metadata(written: Mapping[str, Any], facts: Facts, owner: Pod | None) -> dict[str, Any]:
    """What the job adds: whose it is, where people see the job, and what its trace is a part of."""
    annotations = {
        **({ANNOTATION_JOB: facts.page} if facts.page else {}),
        **({ANNOTATION_TRACEPARENT: facts.traceparent} if spans.parent(facts.traceparent) else {}),
        **written.get("annotations", {}),
    }
    return {
        **written,
        **({"annotations": annotations} if annotations else {}),
        **({"ownerReferences": [owner.reference]} if owner else {}),
    }
