"""Whose turn it is: limits, first come first served, no namespace before its turn, and groups."""

from __future__ import annotations

import random

import pytest

import make
from imagebuild.api.config import Limits
from imagebuild.api.spec import Policy
from imagebuild.contract.reasons import Reason
from imagebuild.core.admit import Candidate, Claim, Group, Key, Member, Progress, Verdict, admit

PARALLEL, SERIAL, LATEST = Policy.PARALLEL, Policy.SERIAL, Policy.LATEST
WAITING, UNDER_WAY, DONE = Progress.WAITING, Progress.UNDER_WAY, Progress.DONE
GROUP: Group = ("a", "main")


def waiting(*entries: tuple[str, str, float]) -> list[Candidate]:
    return [Candidate(key=(namespace, name), since=make.at(since)) for namespace, name, since in entries]


def limits(running: int, each: int) -> Limits:
    return Limits(running=running, running_per_namespace=each)


def starting(verdicts: dict[Key, Verdict]) -> list[str]:
    return sorted("/".join(key) for key, verdict in verdicts.items() if verdict.reason is Reason.STARTING)


A1, A2, A3 = ("a", "1", 1), ("a", "2", 2), ("a", "3", 3)
B1, B2 = ("b", "1", 4), ("b", "2", 5)


@pytest.mark.parametrize(
    ("candidates", "running", "most", "each", "chosen"),
    [
        pytest.param([], [], 5, 5, [], id="nobody waits"),
        pytest.param([A2, A1], [], 1, 5, ["a/1"], id="who waits longest goes first"),
        pytest.param([A1, A2, A3], [], 2, 5, ["a/1", "a/2"], id="no more than fit into the cluster"),
        pytest.param([A1, A2, A3], [], 5, 2, ["a/1", "a/2"], id="no more than fit into the namespace"),
        pytest.param([A1], [("b", "x")], 1, 5, [], id="what runs counts"),
        pytest.param([A1], [("a", "x"), ("a", "y")], 9, 2, [], id="in its namespace too"),
        pytest.param([A1, A2, A3, B1], [], 2, 5, ["a/1", "b/1"], id="namespaces take turns"),
        pytest.param([A1, B1, B2], [("a", "x")], 2, 5, ["b/1"], id="who runs less goes first"),
        pytest.param([A1, B1], [("c", "x")] * 9, 5, 5, [], id="a limit that was lowered stops nothing and starts none"),
        pytest.param([("a", "2", 1), ("a", "1", 1)], [], 1, 5, ["a/1"], id="names decide between equals"),
    ],
)
def test_limits_say_who_starts(
    candidates: list[tuple[str, str, float]], running: list[Key], most: int, each: int, chosen: list[str]
) -> None:
    verdicts = admit(waiting(*candidates), running, limits(most, each), {})
    assert starting(verdicts) == chosen
    others = {verdict.reason for key, verdict in verdicts.items() if "/".join(key) not in chosen}
    assert others <= {Reason.QUEUED}
    assert len(verdicts) == len(candidates)


def test_limits_hold_and_no_place_is_left_free_whatever_the_world() -> None:
    dice = random.Random(7)
    for _ in range(200):
        bounds = limits(dice.randint(1, 8), dice.randint(1, 4))
        candidates = waiting(*((dice.choice("abc"), str(i), dice.randint(0, 9)) for i in range(dice.randint(0, 12))))
        running = [(dice.choice("abc"), f"r{i}") for i in range(dice.randint(0, 6))]
        verdicts = admit(candidates, running, bounds, {})
        chosen = [key for key, verdict in verdicts.items() if verdict.reason is Reason.STARTING]
        total = [namespace for namespace, _ in [*running, *chosen]]
        left = {candidate.key for candidate in candidates} - set(chosen)
        assert not chosen or len(total) <= bounds.running
        assert all(total.count(namespace) <= bounds.running_per_namespace for namespace, _ in chosen)
        if len(total) < bounds.running:
            assert all(total.count(namespace) >= bounds.running_per_namespace for namespace, _ in left)


# --- groups


def member(name: str, policy: Policy, progress: Progress, order: int | None = None, **more: bool) -> Member:
    """Named by a digit that is also when its run was queued."""
    since = make.at(int(name))
    return Member(key=("a", name), since=since, policy=policy, order=order, progress=progress, **more)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        pytest.param(
            [member("1", PARALLEL, UNDER_WAY), member("2", PARALLEL, WAITING)], {"2": "Starting"}, id="Parallel: no rule"
        ),
        pytest.param(
            [member("1", SERIAL, WAITING), member("2", SERIAL, WAITING), member("3", SERIAL, WAITING)],
            {"1": "Starting", "2": "Queued", "3": "Queued"},
            id="Serial: one at a time, the oldest first",
        ),
        pytest.param(
            [member("1", SERIAL, UNDER_WAY), member("2", SERIAL, WAITING)],
            {"2": "Queued"},
            id="Serial: what is under way is waited for",
        ),
        pytest.param(
            [member("1", SERIAL, DONE), member("2", SERIAL, WAITING)], {"2": "Starting"}, id="Serial: what is over is not"
        ),
        pytest.param(
            [member("1", SERIAL, WAITING, 7), member("2", SERIAL, WAITING, 5)],
            {"1": "Queued", "2": "Starting"},
            id="Serial: the order that was given counts, not when they came",
        ),
        pytest.param(
            [member("1", LATEST, WAITING), member("2", LATEST, WAITING), member("3", LATEST, WAITING)],
            {"1": "Superseded", "2": "Superseded", "3": "Queued"},
            id="Latest: the newest ends the others, and starts when they are over",
        ),
        pytest.param(
            [member("1", LATEST, UNDER_WAY), member("2", LATEST, WAITING)],
            {"2": "Queued"},
            id="Latest: what is under way goes on",
        ),
        pytest.param(
            [member("1", LATEST, UNDER_WAY), member("2", LATEST, WAITING, cancel_running=True)],
            {"1": "Superseded", "2": "Queued"},
            id="Latest: unless the newest cancels what runs",
        ),
        pytest.param(
            [member("1", LATEST, UNDER_WAY, cancel_running=True), member("2", LATEST, WAITING)],
            {"2": "Queued"},
            id="Latest: the older one's wish is none of the newer one's",
        ),
        pytest.param(
            [member("1", LATEST, DONE, 8), member("2", LATEST, WAITING, 5)],
            {"2": "Superseded"},
            id="Latest: who comes late with an older order never moves a tag back",
        ),
        pytest.param(
            [member("1", LATEST, UNDER_WAY, 8, cancel_running=True), member("2", LATEST, WAITING, 5)],
            {"2": "Superseded"},
            id="Latest: not while the newer one builds either",
        ),
        pytest.param(
            [member("1", LATEST, DONE), member("2", LATEST, WAITING)], {"2": "Starting"}, id="Latest: newer than what is done"
        ),
        pytest.param(
            [member("1", LATEST, UNDER_WAY), member("2", LATEST, DONE), member("3", LATEST, WAITING)],
            {"1": "Superseded", "3": "Queued"},
            id="Latest: between two attempts, overtaken by one that has pushed",
        ),
        pytest.param(
            [member("1", LATEST, UNDER_WAY, alive=True), member("2", LATEST, DONE), member("3", LATEST, WAITING)],
            {"3": "Queued"},
            id="Latest: what runs goes on even then",
        ),
        pytest.param(
            [member("1", PARALLEL, WAITING), member("2", LATEST, WAITING)],
            {"1": "Superseded", "2": "Queued"},
            id="the newest one's policy says what becomes of the others",
        ),
    ],
)  # fmt: skip
def test_groups_say_who_waits_and_who_is_overtaken(members: list[Member], said: dict[str, str]) -> None:
    candidates = [
        Candidate(key=each.key, since=each.since, group=GROUP) for each in members if each.progress is WAITING
    ]
    verdicts = admit(candidates, [], limits(9, 9), {GROUP: tuple(members)})
    assert {name: verdict.reason.value for (_, name), verdict in verdicts.items()} == said


def test_a_verdict_of_a_group_says_which_group_and_which_build() -> None:
    members = (member("1", LATEST, WAITING), member("2", LATEST, WAITING), member("3", SERIAL, UNDER_WAY))
    candidates = [Candidate(key=each.key, since=each.since, group=GROUP) for each in members[:2]]
    verdicts = admit(candidates, [], limits(9, 9), {GROUP: members})
    assert verdicts["a", "1"].message == "the ImageBuild 2 of the group main is newer"
    assert verdicts["a", "2"].message == "waits for its turn in the group main"


def test_one_that_waits_for_its_group_takes_no_slot() -> None:
    members = (member("1", SERIAL, UNDER_WAY), member("2", SERIAL, WAITING))
    candidates = [Candidate(key=("a", "2"), since=make.at(2), group=GROUP), *waiting(("a", "9", 9))]
    assert starting(admit(candidates, [("a", "1")], limits(2, 2), {GROUP: members})) == ["a/9"]


def test_who_asks_for_the_next_attempt_keeps_the_place_it_had() -> None:
    members = (member("1", LATEST, UNDER_WAY), member("2", LATEST, WAITING))
    candidates = [Candidate(key=each.key, since=each.since, group=GROUP) for each in members]
    verdicts = admit(candidates, [], limits(9, 9), {GROUP: members})
    assert {name: verdict.reason.value for (_, name), verdict in verdicts.items()} == {"1": "Starting", "2": "Queued"}


# --- cache volumes

CLAIM = ("a", "cache")


def volume_users(*names: str, group: Group | None = None) -> list[Candidate]:
    return [Candidate(key=("a", name), since=make.at(int(name)), claim=CLAIM, group=group) for name in names]


@pytest.mark.parametrize(
    ("used_by", "first"),
    [
        pytest.param({}, ["a/1"], id="one of those that wait for it, the one that waits longest"),
        pytest.param({CLAIM: ("a", "9")}, [], id="none while another uses it"),
        pytest.param({CLAIM: ("a", "2")}, ["a/2"], id="the one that has it already"),
        pytest.param({("b", "cache"): ("b", "9")}, ["a/1"], id="a claim of the same name in another namespace"),
    ],
)
def test_a_cache_volume_is_used_by_one_build_at_a_time(used_by: dict[Claim, Key], first: list[str]) -> None:
    verdicts = admit(volume_users("1", "2", "3"), [], limits(9, 9), {}, claims=used_by)
    assert starting(verdicts) == first
    waits = [verdict for verdict in verdicts.values() if verdict.reason is Reason.QUEUED]
    assert all(verdict.message.startswith("waits for its cache volume, which ") for verdict in waits)


def test_one_that_waits_for_a_cache_volume_takes_no_slot() -> None:
    candidates = [*volume_users("1"), *waiting(("a", "9", 9))]
    assert starting(admit(candidates, [], limits(1, 1), {}, claims={CLAIM: ("a", "8")})) == ["a/9"]


def test_one_that_waits_in_a_group_keeps_no_cache_volume_from_another_of_it() -> None:
    members = (member("1", SERIAL, WAITING, order=2), member("2", SERIAL, WAITING, order=1))
    assert starting(admit(volume_users("1", "2", group=GROUP), [], limits(9, 9), {GROUP: members})) == ["a/2"]


# --- the queue's length


def test_who_was_told_to_wait_is_not_turned_away_for_one_that_comes_back() -> None:
    back, waits = Candidate(key=("a", "back"), since=make.at(0)), Candidate(key=("a", "w"), since=make.at(9), new=True)
    bounds = Limits(running=1, queued=1, queued_per_namespace=1)
    running = [("z", "runs")]
    assert admit([back, waits], running, bounds, {})[waits.key].reason is Reason.QUEUE_FULL
    assert admit([back, waits], running, bounds, {}, told=[waits.key])[waits.key].reason is Reason.QUEUED


@pytest.mark.parametrize(
    ("entries", "most", "each", "refused"),
    [
        pytest.param([("a", 1), ("a", 2)], 2, 9, [], id="there is room"),
        pytest.param([("a", 1), ("a", 2), ("a", 3)], 2, 9, ["3"], id="who comes last is turned away"),
        pytest.param([("a", 1), ("b", 2), ("a", 3)], 9, 1, ["3"], id="for the namespace"),
        pytest.param([("a", 1), ("a", 2), ("a", -3)], 2, 9, ["2"], id="never one that was told to wait"),
    ],
)
def test_no_more_wait_than_the_limits_allow(
    entries: list[tuple[str, int]], most: int, each: int, refused: list[str]
) -> None:
    """A negative number: it was told to wait before."""
    candidates = [
        Candidate(key=(namespace, str(abs(number))), since=make.at(abs(number)), new=number > 0)
        for namespace, number in entries
    ]
    bounds = Limits(running=1, queued=most, queued_per_namespace=each)
    verdicts = admit(candidates, [("z", "runs")], bounds, {})
    full = {name: verdict for (_, name), verdict in verdicts.items() if verdict.reason is Reason.QUEUE_FULL}
    assert list(full) == refused
    assert all("builds wait in the" in verdict.message for verdict in full.values())
