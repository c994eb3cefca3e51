"""A watch that is ended goes on from where it was, until nobody wants it or there is nothing to go on from."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from testbed import follow
from testbed.follow import Follow, Process
from testbed.kubectl import Kubectl
from unit.test_bench_builds import PLACE

LIST = '{"metadata": {"resourceVersion": "3"}}'


@pytest.fixture
def kubectl(monkeypatch: pytest.MonkeyPatch) -> Kubectl:
    """One that knows the list, and whose watches end at once."""
    monkeypatch.setattr(follow, "_AGAIN_SECONDS", 0)
    return Kubectl(replace(PLACE, kubectl="echo"), "")


def test_each_watch_begins_where_the_one_before_has_ended_and_none_after_the_last(
    kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Kubectl, "__call__", lambda *_, **__: LIST)
    begun: list[str] = []
    versions = iter(["5", "8", None])

    def begin(command: list[str]) -> Process:
        begun.append(command[-1].rpartition("=")[2])
        return subprocess.Popen(["true"])

    def end(process: Process, _: str) -> str | None:
        process.wait()
        return next(versions)

    with Follow(kubectl, "/pods?", begin, end) as followed:
        followed._thread.join(10)
    assert begun == ["3", "5", "8"]


def test_nothing_is_begun_once_nobody_wants_it(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Kubectl, "__call__", lambda *_, **__: LIST)
    begun: list[Process] = []

    def begin(_: list[str]) -> Process:
        begun.append(subprocess.Popen(["sleep", "60"]))
        return begun[-1]

    with Follow(kubectl, "/pods?", begin, lambda process, since: str(process.wait()) and since):
        while not begun:
            pass
    assert [process.returncode for process in begun] == [-9]
