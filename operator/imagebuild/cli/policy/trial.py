"""What the operator would do with an ImageBuild that had its turn: its own decision, on an empty cluster. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from imagebuild import __version__
from imagebuild.api.config import OperatorConfig
from imagebuild.api.imagebuild import parse
from imagebuild.api.status import ImageBuildStatus, Phase
from imagebuild.contract.reasons import Reason
from imagebuild.core.admit import Verdict
from imagebuild.core.decide import decide
from imagebuild.core.decision import Context, Create, Queue, Report
from imagebuild.core.policy import within

Document = dict[str, Any]

_UNNAMED = "build"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    name: str
    status: ImageBuildStatus
    """As the operator would write it."""
    pod: Document | None
    """That it would make."""

    @property
    def refused(self) -> bool:
        """Or of a newer version than the operator, which nothing but another operator would change."""
        return self.status.phase is Phase.FAILED or self.status.reason is Reason.OPERATOR_TOO_OLD

    @property
    def next_step(self) -> str:
        reason = self.status.reason
        if reason is Reason.OPERATOR_TOO_OLD:
            return f"imagebuild {__version__} has no such field: is it spelled right?"
        return Reason(reason).row.next_step if reason in set(Reason) else ""


def trial(written: Mapping[str, Any], namespace: str, config: OperatorConfig, now: datetime) -> Trial:
    """`written`: with metadata and spec, as it is applied."""
    metadata = written["metadata"]
    said = {key: metadata[key] for key in ("annotations", "labels") if metadata.get(key)}
    served = {
        "namespace": namespace,
        "name": metadata.get("name") or _UNNAMED,
        "uid": "",
        "generation": 1,
        "resourceVersion": "1",
        "creationTimestamp": now.isoformat(),
    }
    build = parse({"metadata": {**said, **served}, "spec": written["spec"]})
    context = Context(pods=(), config=within(config, namespace), now=now, verdict=Verdict(reason=Reason.STARTING))
    decision = decide(build, context)
    assert isinstance(decision, Report | Create | Queue), decision
    made = decision.manifest if isinstance(decision, Create) else None
    return Trial(name=build.name, status=decision.status, pod=made)
