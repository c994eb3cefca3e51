"""How the kills are judged: a status that is not as its pods were is found."""

from __future__ import annotations

from typing import Any

import pytest

from testbed.kills import wrong
from testbed.kwok import digest
from testbed.podwatch import SeenPod

Status = dict[str, Any]

RIGHT: Status = {
    "phase": "Succeeded",
    "reason": "Built",
    "run": {"number": 1},
    "attempt": 2,
    "failures": 1,
    "podName": "evicted-1-2",
    "podUID": "two",
    "output": {"digest": digest("evicted-1-2")},
}


def pods() -> list[SeenPod]:
    return [
        SeenPod("evicted-1-1", "one", "build", 1, live=False),
        SeenPod("evicted-1-2", "two", "build", 2, live=False),
    ]


def judged(status: Status, seen: list[SeenPod] | None = None, there: tuple[str, ...] = ("one", "two")) -> list[str]:
    build = {"metadata": {"name": "evicted-1", "uid": "build"}, "status": status}
    return wrong(build, pods() if seen is None else seen, {uid: {} for uid in there})


def test_a_status_that_is_as_the_pods_were_is_right() -> None:
    assert judged(RIGHT) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"phase": "Failed"}, "phase is Failed", id="phase"),
        pytest.param({"reason": "StepFailed"}, "reason is StepFailed", id="reason"),
        pytest.param({"run": {"number": 2}}, "run is 2", id="run"),
        pytest.param({"attempt": 3}, "attempt is 3", id="attempt"),
        pytest.param({"failures": 0}, "failures is 0", id="failures"),
        pytest.param({"podUID": "one"}, "podUID is one", id="pod"),
        pytest.param({"output": {"digest": digest("other")}}, "digest is sha256:", id="another pod's digest"),
        pytest.param({"history": [{"run": 1}]}, "history is", id="history"),
    ],
)
def test_a_status_that_is_wrong_is_named(change: Status, said: str) -> None:
    assert any(each.startswith(said) for each in judged({**RIGHT, **change}))


@pytest.mark.parametrize(
    ("seen", "there"),
    [
        pytest.param(pods()[1:], ("two",), id="an attempt without a pod"),
        pytest.param(pods(), ("one",), id="a pod that is not there"),
        pytest.param([pods()[0], SeenPod("evicted-1-2", "two", "build", 2)], ("one", "two"), id="a pod that lives"),
    ],
)
def test_a_status_that_the_pods_do_not_bear_out_is_named(seen: list[SeenPod], there: tuple[str, ...]) -> None:
    assert judged(RIGHT, seen, there)
