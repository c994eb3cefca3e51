"""The log for machines: one object a line, with the build that a line is about."""

from __future__ import annotations

import json
import logging
import sys

import pytest

import make
from imagebuild.api.status import ImageBuildStatus, Phase, Run
from imagebuild.contract.reasons import Reason
from imagebuild.controller.logs import JsonLines
from imagebuild.controller.telemetry import log_transition

BUILDING = ImageBuildStatus(
    phase=Phase.RUNNING, reason=Reason.BUILDING, run=Run(number=3, inputs_hash="h"), pod_name="shop-1"
)


def test_a_step_of_a_build_is_one_line_that_names_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log_transition(make.make_build(), BUILDING)
    (record,) = caplog.records
    text = JsonLines().format(record)
    assert "\n" not in text
    line = json.loads(text)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "logger": "imagebuild.controller.telemetry",
        "message": "team-a/shop run 3: Running, Building",
        "namespace": "team-a",
        "build": "shop",
        "run": 3,
        "pod": "shop-1",
    }


def test_a_status_without_a_step_is_no_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log_transition(make.make_build(status=BUILDING), BUILDING.model_copy(update={"message": "other"}))
    assert caplog.records == []


def test_a_traceback_stays_on_the_line() -> None:
    try:
        int("our own")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "it %s", ("broke",), sys.exc_info())
    text = JsonLines().format(record)
    assert "\n" not in text
    assert json.loads(text)["message"] == "it broke"
    assert "ValueError: invalid literal" in json.loads(text)["exception"]
