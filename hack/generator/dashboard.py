"""The Grafana dashboard of manifests/components/monitoring: rows of a table, laid out two by two."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Panel(NamedTuple):
    title: str
    unit: str
    """Grafana's name of it: short, s, percentunit, reqps, bytes."""
    queries: tuple[tuple[str, str], ...]
    """An expression, and the legend of its series."""
    stacked: bool = False


def _quantiles(metric: str) -> tuple[tuple[str, str], ...]:
    bucket = f"sum by (le) (rate({metric}_bucket[$__rate_interval]))"
    return tuple((f"histogram_quantile({part}, {bucket})", name) for part, name in ((0.5, "half"), (0.95, "95 %")))


def _rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}[$__rate_interval]))"


PANELS = (
    Panel("ImageBuilds", "short", (("sum by (phase) (imagebuild_builds)", "{{phase}}"),), stacked=True),
    Panel(
        "With a pod, and waiting for a slot",
        "short",
        (("max(imagebuild_builds_running)", "running"), ("max(imagebuild_builds_waiting)", "waiting")),
    ),
    Panel("Ended, a minute", "short", ((f"60 * {_rate('imagebuild_builds_finished_total', 'reason')}", "{{reason}}"),)),
    Panel(
        "Attempts that failed, a minute",
        "short",
        ((f"60 * {_rate('imagebuild_attempts_failed_total', 'fault, reason')}", "{{fault}}: {{reason}}"),),
    ),
    Panel("How long a run waits for its first pod", "s", _quantiles("imagebuild_queue_seconds")),
    Panel("How long a pod takes to start", "s", _quantiles("imagebuild_start_seconds")),
    Panel("How long a build takes", "s", _quantiles("imagebuild_build_seconds")),
    Panel(
        "Steps from the cache",
        "percentunit",
        (("sum(rate(imagebuild_steps_cached_total[1h])) / sum(rate(imagebuild_steps_total[1h]))", "of all"),),
    ),
    Panel(
        "Requests to the API server",
        "reqps",
        ((_rate("imagebuild_api_requests_total", "verb, code"), "{{verb}} {{code}}"),),
    ),
    Panel("How long they take", "s", _quantiles("imagebuild_api_request_seconds")),
    Panel(
        "The operator",
        "short",
        (
            ("sum(imagebuild_leader)", "leaders"),
            ("max(imagebuild_workqueue_depth)", "to be looked at"),
            (_rate("imagebuild_reconcile_errors_total", "kind"), "errors a second: {{kind}}"),
        ),
    ),
    Panel("Retries a minute", "short", (("60 * sum(rate(imagebuild_retries_total[$__rate_interval]))", "retries"),)),
)


def dashboard() -> str:
    """JSON, as Grafana imports it."""
    source = {"type": "prometheus", "uid": "${source}"}
    choice = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    document = {
        "uid": "imagebuild",
        "title": "ImageBuild",
        "tags": ["imagebuild"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [choice]},
        "panels": [_panel(number, panel, source) for number, panel in enumerate(PANELS)],
    }
    return json.dumps(document, indent=1) + "\n"


def _panel(number: int, panel: Panel, source: dict[str, str]) -> dict[str, Any]:
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": source,
        "gridPos": {"h": 8, "w": 12, "x": 12 * (number % 2), "y": 8 * (number // 2)},
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "custom": {"fillOpacity": 10, "stacking": {"mode": "normal" if panel.stacked else "none"}},
            },
            "overrides": [],
        },
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": source, "expr": expression, "legendFormat": legend}
            for place, (expression, legend) in enumerate(panel.queries)
        ],
    }
