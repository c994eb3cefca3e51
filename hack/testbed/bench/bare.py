"""The other side: the pod that the operator would make, made by a client that does nothing else."""

from __future__ import annotations

from typing import Any

from imagebuild.api import names
from imagebuild.api.config import OperatorConfig
from imagebuild.api.imagebuild import parse
from imagebuild.contract.reasons import Reason
from imagebuild.controller.slots import now
from imagebuild.core.admit import Verdict
from imagebuild.core.decide import decide
from imagebuild.core.decision import Context, Create
from imagebuild.core.policy import within
from testbed.deploy import operator_config
from testbed.kubectl import Document
from testbed.place import Place

BARE = "bench"
"""Who manages such a pod."""


def configuration(place: Place, settings: dict[str, Any]) -> OperatorConfig:
    return OperatorConfig.model_validate({**operator_config(place), **settings})


def bare_pod(build: Document, config: OperatorConfig, name: str) -> Document:
    """Of an ImageBuild that is there: the same but for its name, and without the label by which the operator looks."""
    given = within(config, build["metadata"]["namespace"])
    decision = decide(parse(build), Context(pods=(), config=given, now=now(), verdict=Verdict(reason=Reason.STARTING)))
    assert isinstance(decision, Create), decision
    meta = decision.manifest["metadata"]
    labels = {**meta["labels"], names.MANAGED_BY: BARE}
    return {**decision.manifest, "metadata": {**meta, "name": name, "labels": labels}}


def is_bare(pod: Document) -> bool:
    return bool(pod["metadata"]["labels"][names.MANAGED_BY] == BARE)
