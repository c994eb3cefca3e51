"""An ImageBuild whose run is over, as the store keeps it: as text, and what is asked of thousands of them at once.

Parsed, each takes ten times the memory; and few of them are ever looked at again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from imagebuild.api.imagebuild import ImageBuild, parse
from imagebuild.api.status import Phase
from imagebuild.core.admit import Group, Member
from imagebuild.core.groups import group, member


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    uid: str
    resource_version: str
    phase: Phase
    newest_attempt: tuple[int, int]
    group: Group | None
    member: Member | None
    """Of that group, as long as it asks for nothing and has no pod."""
    text: bytes

    @classmethod
    def of(cls, build: ImageBuild, document: Mapping[str, Any]) -> Self:
        metadata = {key: value for key, value in document["metadata"].items() if key != "managedFields"}
        kept = {"metadata": metadata, "spec": document.get("spec"), "status": document.get("status")}
        assert build.status.phase is not None
        return cls(
            uid=build.uid,
            resource_version=build.resource_version,
            phase=build.status.phase,
            newest_attempt=build.status.newest_attempt,
            group=group(build),
            member=member(build, None, reserved=False, alive=False),
            text=json.dumps(kept, separators=(",", ":")).encode(),
        )

    def build(self) -> ImageBuild:
        return parse(json.loads(self.text))
