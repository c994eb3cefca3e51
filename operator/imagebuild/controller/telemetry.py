"""What became of each build, for those who watch: from one hook to the log, the metrics, the events and the traces."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.status import ImageBuildStatus
from imagebuild.controller.events import Events
from imagebuild.controller.metrics import Metrics
from imagebuild.controller.tracing import Traces

_log = logging.getLogger(__name__)


class Telemetry:
    def __init__(self, metrics: Metrics, events: Events, traces: Traces) -> None:
        self._metrics, self._events, self._traces = metrics, events, traces

    def written(self, build: ImageBuild, status: ImageBuildStatus) -> None:
        """The API server has taken this status; `build` is the ImageBuild as it was."""
        now = datetime.now(UTC)
        log_transition(build, status)
        self._metrics.written(build, status, now)
        self._events.tell(build, status, now)
        self._traces.tell(build, status, now)


def log_transition(build: ImageBuild, status: ImageBuildStatus) -> None:
    """One line for each change of phase or reason."""
    if (status.phase, status.reason) == (build.status.phase, build.status.reason):
        return
    number = status.run.number if status.run else 0
    where = {"namespace": build.namespace, "build": build.name, "run": number}
    known = {**where, **({"pod": status.pod_name} if status.pod_name else {})}
    _log.info("%s/%s run %d: %s, %s", *where.values(), status.phase, status.reason, extra=known)
