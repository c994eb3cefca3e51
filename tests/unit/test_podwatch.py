"""The watch that the disruptive tests judge by: it must see two live pods of one build, and a name used twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import make
from imagebuild.contract.reasons import Reason
from testbed.podwatch import PodWatch, last_version

Event = tuple[str, dict[str, Any]]


def pod(attempt: int = 1, uid: str = "", *, ended: bool = False) -> dict[str, Any]:
    status = make.broken(Reason.EVICTED) if ended else make.running()
    return make.pod_document(attempt=attempt, uid=uid, status=status)


def seen(*events: Event) -> PodWatch:
    watch = PodWatch()
    for kind, document in events:
        watch.take({"type": kind, "object": document})
    return watch


def test_attempts_one_after_the_other_are_no_double() -> None:
    watch = seen(("ADDED", pod(1)), ("MODIFIED", pod(1, ended=True)), ("ADDED", pod(2)))
    assert (watch.doubled, watch.created_again(), len(watch.pods)) == ([], [], 2)


def test_a_second_pod_while_the_first_one_lives_is_a_double() -> None:
    assert len(seen(("ADDED", pod(1)), ("ADDED", pod(2))).doubled) == 1


def test_a_pod_that_is_gone_lives_no_more() -> None:
    assert seen(("ADDED", pod(1)), ("DELETED", pod(1)), ("ADDED", pod(2))).doubled == []


def test_a_name_that_two_pods_had_is_told() -> None:
    watch = seen(("ADDED", pod(1, "a")), ("DELETED", pod(1, "a")), ("ADDED", pod(1, "b")))
    assert watch.created_again() == [pod()["metadata"]["name"]]


def test_a_watch_that_was_refused_is_known_to_be_broken() -> None:
    assert seen(("ERROR", {"code": 410})).broken


@pytest.mark.parametrize(
    ("lines", "version", "kept"),
    [
        ([], "3", 0),
        ([("ADDED", "5"), ("MODIFIED", "7")], "7", 2),
        ([("ADDED", "5"), ("BOOKMARK", "9")], "9", 2),
        ([("ADDED", "5"), ("ERROR", "")], None, 2),
    ],
)
@pytest.mark.parametrize("part", ["", '{"type": "MODI'])
def test_a_record_goes_on_from_the_last_event_that_was_written_whole(
    tmp_path: Path, lines: list[tuple[str, str]], version: str | None, kept: int, part: str
) -> None:
    file = tmp_path / "pods.jsonl"
    whole = [json.dumps({"type": kind, "object": {"metadata": {"resourceVersion": said}}}) for kind, said in lines]
    file.write_text("".join(f"{line}\n" for line in whole) + part)
    assert last_version(file, "3") == version
    assert file.read_text().splitlines() == whole[:kept]
