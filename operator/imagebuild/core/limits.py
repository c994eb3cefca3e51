"""`spec.timeouts` and `spec.retryLimit` over the operator's: how long a run may wait and take, and how often."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from imagebuild.api.config import OperatorConfig
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.timespan import seconds

Limit = Literal["queue", "start", "build", "silence"]


def limit(spec: ImageBuildSpec, config: OperatorConfig, name: Limit) -> str | None:
    """As it is written; None where there is no limit."""
    found: str | None = getattr(spec.timeouts, name, None) or getattr(config.timeouts, name)
    return found


def span(spec: ImageBuildSpec, config: OperatorConfig, name: Literal["queue", "start"]) -> timedelta:
    return timedelta(seconds=seconds(limit(spec, config, name) or ""))


def retries(spec: ImageBuildSpec, config: OperatorConfig) -> int:
    return config.retry_limit if spec.retry_limit is None else spec.retry_limit
