"""Spans of time on the command line, as the spec has them: 90s, 30m, 1h30m."""

from __future__ import annotations

from typing import Any

import click

__all__ = ["SPAN"]


class _Span(click.ParamType[float]):
    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        from imagebuild.api import timespan  # noqa: PLC0415  --help must not wait for pydantic

        try:
            return timespan.seconds(timespan.checked(value))
        except ValueError:
            self.fail(f"{value!r}: write a span of time such as 90s, 30m or 2h", param, ctx)


SPAN = _Span()
