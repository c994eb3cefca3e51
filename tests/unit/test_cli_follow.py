"""Following a build: what is told in which order, over attempts, outages and interruptions."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from typing import Any

import pytest

from imagebuild.cli.exits import Exit
from imagebuild.cli.follow import Follower, Interrupted, Told
from imagebuild.cli.problem import ApiError, Problem
from imagebuild.cli.watching import changes
from unit.clidocuments import BUILT, FIRST, NEW, QUEUED, RETRYING, SECOND, build

Step = tuple[str, dict[str, Any]] | int


class Server:
    """Plays a script: each GET and each watch takes its next part."""

    def __init__(
        self, gets: list[dict[str, Any] | int], watches: list[list[Step]], fault: Exception | None = None
    ) -> None:
        """`fault`: of ours, by every log."""
        self.gets, self.watches, self.fault = gets, watches, fault
        self.versions: list[str] = []
        self.logs = {"shop-1": ["one"], "shop-2": ["two", "three"]}

    def build(self, name: str) -> dict[str, Any]:
        assert name == "shop"
        found = self.gets.pop(0) if len(self.gets) > 1 else self.gets[0]
        if isinstance(found, int):
            raise ApiError(found, "refused")
        return found

    def watch(self, name: str, resource_version: str) -> Iterator[tuple[str, dict[str, Any]]]:
        assert name == "shop"
        self.versions.append(resource_version)
        for step in self.watches.pop(0) if self.watches else []:
            if isinstance(step, int):
                raise ApiError(step, "refused")
            yield step

    def log(self, pod: str, container: str, *, since: str | None, follow: bool) -> Iterator[bytes]:
        del container, since, follow
        if self.fault:
            raise self.fault
        if pod not in self.logs:
            raise ApiError(404, f"There is no pod {pod}.")
        for number, text in enumerate(self.logs[pod]):
            yield f"2026-11-24T12:00:00.{number}Z {text}\n".encode()


def modified(*documents: dict[str, Any]) -> list[Step]:
    return [("MODIFIED", document) for document in documents]


def told_of(server: Server, *, after_run: int = 0, log: bool = True) -> tuple[list[str], Follower]:
    told: list[str] = []
    follower = Follower(
        server,
        "shop",
        Told(
            state=lambda build: told.append(build.reason or "new"),
            line=(lambda line: told.append(f"> {line.text}")) if log else None,
            pod=lambda name, attempt: told.append(f"pod {name} {attempt}"),
            trouble=told.append,
        ),
        after_run=after_run,
    )
    return told, follower


def test_the_logs_of_all_attempts_follow_each_other() -> None:
    told, follower = told_of(Server([NEW], [modified(QUEUED, FIRST, RETRYING, SECOND, BUILT)]))
    follower.start()
    found = follower.result()
    assert found is not None
    assert found.reason == "Built"
    assert [word for word in told if word.startswith((">", "pod"))] in (
        # the operator's word may come before the log's last line, never after the next pod's first
        ["pod shop-1 1", "> one", "pod shop-2 2", "> two", "> three"],
        ["pod shop-1 1", "pod shop-2 2", "> one", "> two", "> three"],
    )
    assert [word for word in told if not word.startswith((">", "pod"))] == [
        "new", "Queued", "Building", "Retrying", "Building", "Built",
    ]  # fmt: skip


def test_an_attempt_is_over_when_the_next_one_is_there() -> None:
    """Also where nobody saw it end."""
    told, follower = told_of(Server([NEW], [modified(FIRST, SECOND, BUILT)]))
    follower.start()
    assert follower.result(time.monotonic() + 20) is not None
    assert [word for word in told if word.startswith(">")] == ["> one", "> two", "> three"]


def test_who_waits_reads_no_log() -> None:
    told, follower = told_of(Server([NEW], [modified(FIRST, BUILT)]), log=False)
    follower.start()
    follower.result()
    assert told == ["new", "Building", "Built"]


def test_a_log_that_is_gone_is_said_and_ends_nothing() -> None:
    server = Server([BUILT], [])
    del server.logs["shop-2"]
    told, follower = told_of(server)
    follower.start()
    assert follower.result() is not None
    assert told[-1] == "The log of the pod shop-2 cannot be read: There is no pod shop-2."


def test_a_run_that_was_over_before_is_not_the_one_that_is_waited_for() -> None:
    again = build(7, phase="Succeeded", reason="Built", run=2, attempt=1, podName="shop-1")
    told, follower = told_of(Server([BUILT], [modified(again)]), after_run=1)
    follower.start()
    found = follower.result()
    assert found is not None
    assert found.run == 2
    assert "> two" not in told


def test_an_interruption_loses_nothing_and_following_can_go_on() -> None:
    told, follower = told_of(Server([BUILT], []))
    follower.interrupt()
    with pytest.raises(Interrupted):
        follower.result()
    follower.start()
    assert follower.result() is not None
    assert told == ["Built", "pod shop-2 2", "> two", "> three"]


def test_at_the_deadline_there_is_no_result() -> None:
    _, follower = told_of(Server([NEW], []))
    assert follower.result(deadline=0.0) is None


def test_what_ends_the_watch_ends_the_command() -> None:
    _, follower = told_of(Server([404], []))
    follower.start()
    with pytest.raises(ApiError):
        follower.result()


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(Server([NEW], [[("MODIFIED", {})]]), id="of what is watched"),
        pytest.param(Server([BUILT], [], fault=RecursionError("no end")), id="of the log"),
    ],
)
def test_a_fault_that_nobody_foresaw_ends_the_command_and_hangs_nothing(server: Server) -> None:
    _, follower = told_of(server)
    follower.start()
    with pytest.raises(Problem, match="cannot be followed") as raised:
        follower.result(time.monotonic() + 20)
    assert raised.value.exit_code == Exit.INFRASTRUCTURE


def test_after_a_fault_in_the_log_following_can_go_on() -> None:
    told, follower = told_of(Server([BUILT], [], fault=RecursionError("no end")))
    follower.start()
    with pytest.raises(Problem):
        follower.result(time.monotonic() + 20)
    assert follower.result(time.monotonic() + 20) is not None
    assert told == ["Built", "pod shop-2 2"]


def seen(server: Server, count: int) -> list[str]:
    """The versions that come, and the pauses between them."""
    found: list[str] = []
    pauses: list[float] = []
    for document in changes(server, "shop", pauses.append):
        found.append(document["metadata"]["resourceVersion"])
        if len(found) == count:
            break
    return found


@pytest.mark.parametrize(
    ("gets", "watches"),
    [
        pytest.param([NEW], [modified(QUEUED, FIRST)], id="one watch"),
        pytest.param([NEW, QUEUED], [modified(QUEUED), modified(FIRST)], id="the server ends it"),
        pytest.param([NEW, QUEUED, FIRST], [[410], [410]], id="the version is too old"),
        pytest.param([NEW, QUEUED], [[*modified(QUEUED), 0], modified(FIRST)], id="the connection breaks"),
        pytest.param([NEW, 503, 0, QUEUED], [modified(QUEUED), modified(FIRST)], id="the server is away"),
    ],
)
def test_no_change_is_missed_or_told_twice(gets: list[dict[str, Any] | int], watches: list[list[Step]]) -> None:
    assert seen(Server(gets, watches), 3) == ["1", "2", "3"]


def test_a_watch_goes_on_where_the_last_look_was() -> None:
    server = Server([NEW, QUEUED], [modified(QUEUED), modified(FIRST)])
    seen(server, 3)
    assert server.versions == ["1", "2"]


@pytest.mark.parametrize(
    ("gets", "watches"),
    [
        pytest.param([NEW], [[("DELETED", NEW)]], id="under way"),
        pytest.param([NEW, 404], [[0]], id="while nobody watched"),
        pytest.param([NEW, build(9, uid="other")], [[0]], id="and made again"),
    ],
)
def test_a_build_that_is_deleted_is_said_to_be(gets: list[dict[str, Any] | int], watches: list[list[Step]]) -> None:
    with pytest.raises(Problem, match="was deleted") as raised:
        seen(Server(gets, watches), 9)
    assert raised.value.exit_code == Exit.STOPPED


def test_a_server_that_stays_away_is_given_up_with_ever_longer_pauses() -> None:
    pauses: list[float] = []
    with pytest.raises(ApiError):
        list(changes(Server([NEW, 0], [[0]]), "shop", pauses.append))
    assert pauses[:5] == [1.0, 2.0, 4.0, 8.0, 10.0]
    assert 300 < sum(pauses) < 600


def test_patience_begins_anew_with_every_sign_of_life() -> None:
    documents = [build(version, phase="Running", run=1) for version in range(2, 80)]
    server = Server([NEW, *documents], [[*modified(document), 0] for document in documents])
    assert seen(server, 79)[-1] == "79"


def test_what_is_forbidden_is_not_tried_again() -> None:
    with pytest.raises(ApiError):
        list(changes(Server([NEW], [[403]]), "shop", lambda _: pytest.fail("it waits")))


def test_an_interruption_by_a_signal_is_safe_while_the_queue_is_in_use() -> None:
    _, follower = told_of(Server([NEW], []))
    assert isinstance(follower._found, queue.SimpleQueue), "the one whose put may interrupt a get"
