"""manifests/components/monitoring by Prometheus' own promtool, and by the metrics that the operator has."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.dashboard import PANELS
from localcluster import debian
from testbed.deploy import NAMESPACE
from testbed.kubectl import Document, Kubectl
from testbed.place import ROOT

pytestmark = pytest.mark.cluster

MONITORING = ROOT / "manifests" / "components" / "monitoring"
RULES: Document = yaml.safe_load((MONITORING / "rules.yaml").read_text())["spec"]
ALERTS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]}
METRIC = re.compile(r"\bimagebuild_[a-z_]+")
PROMQL = re.compile(r"```promql\n(.*?)```", re.DOTALL)

LEADS = {'imagebuild_leader{pod="a"}': "1x200", 'imagebuild_leader{pod="b"}': "0x200"}
"""All is well: the notation is promtool's, a value a minute."""
STORIES: dict[str, tuple[dict[str, str], set[str]]] = {
    "one replica leads, the other stands by": ({}, set()),
    "nobody leads": ({'imagebuild_leader{pod="a"}': "0x200"}, {"ImageBuildOperatorAway"}),
    "the last leader is gone": ({'imagebuild_leader{pod="a"}': "1x50 _x150"}, {"ImageBuildOperatorAway"}),
    "the operator's own error": ({'imagebuild_reconcile_errors_total{kind="internal"}': "0x95 1x105"}, {"ImageBuildOperatorErrors"}),
    "an API server that was away": ({'imagebuild_reconcile_errors_total{kind="api"}': "0x95 9x105"}, set()),
    "a role that lacks a right": (
        {'imagebuild_api_requests_total{verb="create",resource="pods",code="403"}': "0+3x200"},
        {"ImageBuildApiRefuses"},
    ),
    "conflicts, which are the order of the day": (
        {'imagebuild_api_requests_total{verb="update",resource="imagebuilds",code="409"}': "0+9x200"},
        set(),
    ),
    "builds wait and none runs": (
        {"imagebuild_builds_waiting": "4x200", "imagebuild_builds_running": "0x200"},
        {"ImageBuildsWaitLong"},
    ),
    "builds wait while others run": ({"imagebuild_builds_waiting": "4x200", "imagebuild_builds_running": "9x200"}, set()),
    "most wait for half an hour": (
        {
            'imagebuild_queue_seconds_bucket{le="600"}': "0+1x200",
            'imagebuild_queue_seconds_bucket{le="1800"}': "0+10x200",
            'imagebuild_queue_seconds_bucket{le="+Inf"}': "0+10x200",
        },
        {"ImageBuildQueueSlow"},
    ),
    "the registry refuses all": (
        {'imagebuild_attempts_failed_total{reason="RegistryUnavailable",fault="infrastructure"}': "0+1x200"},
        {"ImageBuildsMeetOneFault"},
    ),
    "tests of a team fail": ({'imagebuild_attempts_failed_total{reason="StepFailed",fault="user"}': "0+9x200"}, set()),
}  # fmt: skip


@pytest.fixture(scope="module")
def promtool() -> str:
    debian.install("prometheus")
    return "promtool"


def ran(*words: str, stdin: str = "") -> str:
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_alert_fires_in_its_case_and_in_no_other(promtool: str, tmp_path: Path) -> None:
    """One run of promtool for all stories: each line below is a question whether one alert fires in one of them."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(RULES))
    tests = [story(series, expected) for series, expected in STORIES.values()]
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(document))
    ran(promtool, "test", "rules", str(tmp_path / "test.yaml"))


def story(series: dict[str, str], expected: set[str]) -> dict[str, Any]:
    """Whether they fire, without their labels and words, 100 minutes in."""
    present = {f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) > 0': alert in expected for alert in ALERTS}
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in ({**LEADS, **series}).items()],
        "promql_expr_test": [
            {"expr": f"({expr}) > bool 0", "eval_time": "100m", "exp_samples": [{"labels": "{}", "value": 1}] if fires else []}
            for expr, fires in present.items()
        ],
    }  # fmt: skip


def test_each_alert_has_a_story_in_which_it_fires() -> None:
    assert set().union(*(expected for _, expected in STORIES.values())) == set(ALERTS)


def test_what_the_operator_answers_is_what_prometheus_reads_and_has_all_that_is_asked_for(
    operator: None, kubectl: Kubectl, promtool: str
) -> None:
    with (
        kubectl.within(NAMESPACE).forward("deployment/imagebuild-operator", 8080) as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer,
    ):
        exposition = answer.read().decode()
    ran(promtool, "check", "metrics", stdin=exposition)
    there = set(METRIC.findall(exposition))
    asked = [rule["expr"] for rule in ALERTS.values()]
    asked += [expression for panel in PANELS for expression, _ in panel.queries]
    asked += PROMQL.findall((ROOT / "docs" / "operations.md").read_text())
    assert {metric for text in asked for metric in METRIC.findall(text)} <= there


def test_everything_is_beside_the_operator_and_selects_it(kubectl: Kubectl, tmp_path: Path) -> None:
    parts = {"resources": ROOT / "manifests", "components": MONITORING}
    overlay = {key: [os.path.relpath(path, tmp_path)] for key, path in parts.items()}
    (tmp_path / "kustomization.yaml").write_text(json.dumps(overlay))
    made = list(yaml.safe_load_all(kubectl("kustomize", str(tmp_path))))
    (pods,) = (each["spec"]["template"]["metadata"]["labels"] for each in made if each["kind"] == "Deployment")
    kinds = ("Service", "ServiceMonitor", "PrometheusRule")
    service, monitor, rules = (each for kind in kinds for each in made if each["kind"] == kind)
    assert {each["metadata"]["namespace"] for each in (service, monitor, rules)} == {NAMESPACE}
    assert service["spec"]["selector"].items() <= pods.items()
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]


def test_each_panel_is_an_expression_that_prometheus_reads(promtool: str, tmp_path: Path) -> None:
    queries = [expression.replace("$__rate_interval", "5m") for panel in PANELS for expression, _ in panel.queries]
    rules = [{"record": f"panel_{number}", "expr": query} for number, query in enumerate(queries)]
    path = tmp_path / "panels.yaml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    ran(promtool, "check", "rules", str(path))
