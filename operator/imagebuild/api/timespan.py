"""Time spans as Kubernetes and Go write them: 90s, 30m, 1h30m."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_MOST = 2**31 - 1
"""What Kubernetes takes for activeDeadlineSeconds."""
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def seconds(span: str) -> float:
    """Raises ValueError for what is not a time span above zero."""
    parts = _PART.findall(span)
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != span or total <= 0:
        raise ValueError(f"{span!r} is not a time span such as 90s, 30m or 2h")
    if total > _MOST:
        raise ValueError(f"{span!r} is more than 68 years")
    return total


def short(span: float) -> str:
    """Seconds for people: 45s, 1m30s, 2h5m."""
    whole = round(span)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours}h{minutes}m"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def checked(span: str) -> str:
    seconds(span)
    return span


TimeSpan = Annotated[str, AfterValidator(checked)]
