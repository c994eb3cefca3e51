"""Who may start: limits, first come first served, and no namespace before its turn."""

from __future__ import annotations

import random

import pytest

import make
from imagebuild.api.config import Limits
from imagebuild.core.admit import Candidate, Key, admit


def waiting(*entries: tuple[str, str, float]) -> list[Candidate]:
    return [Candidate((namespace, name), make.at(since)) for namespace, name, since in entries]


def limits(running: int, each: int) -> Limits:
    return Limits(running=running, running_per_namespace=each)


A1, A2, A3 = ("a", "1", 1), ("a", "2", 2), ("a", "3", 3)
B1, B2 = ("b", "1", 4), ("b", "2", 5)


@pytest.mark.parametrize(
    ("candidates", "running", "most", "each", "chosen"),
    [
        pytest.param([], [], 5, 5, [], id="nobody waits"),
        pytest.param([A2, A1], [], 5, 5, ["a/1", "a/2"], id="who waits longest goes first"),
        pytest.param([A1, A2, A3], [], 2, 5, ["a/1", "a/2"], id="no more than fit into the cluster"),
        pytest.param([A1, A2, A3], [], 5, 2, ["a/1", "a/2"], id="no more than fit into the namespace"),
        pytest.param([A1], [("b", "x")], 1, 5, [], id="what runs counts"),
        pytest.param([A1], [("a", "x"), ("a", "y")], 9, 2, [], id="in its namespace too"),
        pytest.param([A1, A2, A3, B1], [], 2, 5, ["a/1", "b/1"], id="namespaces take turns"),
        pytest.param([A1, B1, B2], [("a", "x")], 3, 5, ["b/1", "a/1"], id="who runs less goes first"),
        pytest.param([A1, B1], [("c", "x")] * 9, 5, 5, [], id="a limit that was lowered stops nothing and starts none"),
        pytest.param([("a", "2", 1), ("a", "1", 1)], [], 1, 5, ["a/1"], id="names decide between equals"),
    ],
)
def test_admission(
    candidates: list[tuple[str, str, float]], running: list[Key], most: int, each: int, chosen: list[str]
) -> None:
    found = admit(waiting(*candidates), running, limits(most, each))
    assert ["/".join(key) for key in found] == chosen


def test_limits_hold_and_no_place_is_left_free_whatever_the_world() -> None:
    dice = random.Random(7)
    for _ in range(200):
        bounds = limits(dice.randint(1, 8), dice.randint(1, 4))
        candidates = waiting(*((dice.choice("abc"), str(i), dice.randint(0, 9)) for i in range(dice.randint(0, 12))))
        running = [(dice.choice("abc"), f"r{i}") for i in range(dice.randint(0, 6))]
        chosen = admit(candidates, running, bounds)
        total = [namespace for namespace, _ in [*running, *chosen]]
        left = {candidate.key for candidate in candidates} - set(chosen)
        assert len(chosen) == len(set(chosen))
        assert not chosen or len(total) <= bounds.running
        assert all(total.count(namespace) <= bounds.running_per_namespace for namespace, _ in chosen)
        if len(total) < bounds.running:
            assert all(total.count(namespace) >= bounds.running_per_namespace for namespace, _ in left)
