"""An ImageBuild as the commands look at it: questions to a document, answered also where fields are missing or new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from imagebuild.api.names import ANNOTATION_REBUILD_AT
from imagebuild.contract.reasons import Reason, Row

__all__ = ["View", "time"]


def time(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


@dataclass(frozen=True, slots=True)
class View:
    document: Mapping[str, Any]

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self.document["metadata"]  # type: ignore[no-any-return]

    @property
    def name(self) -> str:
        return str(self.metadata["name"])

    @property
    def namespace(self) -> str:
        return str(self.metadata.get("namespace", ""))

    @property
    def uid(self) -> str:
        return str(self.metadata.get("uid", ""))

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.document.get("spec") or {}

    @property
    def status(self) -> Mapping[str, Any]:
        return self.document.get("status") or {}

    def of(self, part: str) -> Mapping[str, Any]:
        """A part of the status that is an object."""
        found = self.status.get(part)
        return found if isinstance(found, Mapping) else {}

    @property
    def phase(self) -> str:
        return str(self.status.get("phase") or "")

    @property
    def reason(self) -> str:
        return str(self.status.get("reason") or "")

    @property
    def row(self) -> Row | None:
        """What the table of reasons says; None for a reason that only a newer operator knows."""
        return Reason(self.reason).row if self.reason in set(Reason) else None

    @property
    def message(self) -> str:
        """About this build, else what the reason means in general."""
        return str(self.status.get("message") or (self.row.sentence if self.row else ""))

    @property
    def run(self) -> int:
        """0: the operator has not seen it yet."""
        return int(self.of("run").get("number") or 0)

    @property
    def attempt(self) -> int:
        return int(self.status.get("attempt") or 0)

    @property
    def pod(self) -> str:
        return str(self.status.get("podName") or "")

    @property
    def attempt_open(self) -> bool:
        return bool(self.status.get("podUID")) and not self.over

    @property
    def over(self) -> bool:
        """The run that the status is about has ended."""
        return self.phase in ("Succeeded", "Failed")

    @property
    def seen(self) -> bool:
        """The operator has looked at the spec as it is now."""
        return bool(self.status.get("observedGeneration") == self.metadata.get("generation"))

    def due(self, now: datetime) -> bool:
        """A rebuild has been asked for, and the operator has not begun it yet."""
        asked = time((self.metadata.get("annotations") or {}).get(ANNOTATION_REBUILD_AT))
        if asked is None or asked > now:
            return False
        asked = asked.replace(microsecond=0)
        queued = time(self.status.get("queuedAt"))
        return asked != time(self.of("run").get("rebuildAt")) and (queued is None or asked > queued)

    def settled(self, now: datetime) -> bool:
        """Over, and nothing more is to come by itself."""
        return self.over and self.seen and not self.due(now)

    def next_rebuild(self, now: datetime) -> datetime:
        """A time that asks for one more run whatever this machine's clock says: later than the last run's."""
        marks = [time(self.status.get("queuedAt")), time(self.of("run").get("rebuildAt"))]
        latest = max((mark + timedelta(seconds=1) for mark in marks if mark), default=now)
        return max(now.replace(microsecond=0), latest)
