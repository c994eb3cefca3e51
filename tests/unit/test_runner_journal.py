"""The log that is kept for the archive: all of it, or its beginning and its end, and never a fault of a build."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest

from imagebuild.runner.journal import Journal

LIMIT = 4000


def kept(journal: Journal) -> list[str]:
    return [line.partition(" ")[2] for line in b"".join(journal.blocks()).decode().splitlines()]


def write(journal: Journal, count: int) -> list[str]:
    lines = [f"line {number}" for number in range(count)]
    for line in lines:
        journal.write(line.encode())
    return lines


def test_each_line_has_its_time_as_the_kubelet_writes_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(b"#1 \xff one")
    assert re.fullmatch(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z #1 \xff one\n", b"".join(journal.blocks()))


@pytest.mark.parametrize("count", [0, 1, 50, 100])
def test_what_fits_is_kept_whole(tmp_path: Path, count: int) -> None:
    journal = Journal(tmp_path, LIMIT)
    lines = write(journal, count)
    assert kept(journal) == lines


@pytest.mark.parametrize("count", [120, 150, 200, 1000, 5000])
def test_of_what_does_not_fit_the_beginning_and_the_end_are_kept_and_a_line_says_so(tmp_path: Path, count: int) -> None:
    journal = Journal(tmp_path, LIMIT)
    lines = write(journal, count)
    found = kept(journal)
    (word,) = (line for line in found if line.startswith("… "))
    place = found.index(word)
    assert re.fullmatch(r"… [\d,]+ bytes of the log are left out here: it was too long to keep …", word)
    assert found[:place] == lines[:place]
    assert found[place + 1 :] == lines[-(len(found) - place - 1) :]
    assert journal.lines == count
    sizes = [file.stat().st_size for file in tmp_path.iterdir()]
    assert sum(sizes) <= LIMIT
    assert min(place, len(found) - place) > LIMIT // 4 // 40, "enough of both"


def test_a_line_without_an_end_is_cut(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(b"x" * (3 << 20))
    assert len(kept(journal)[0]) == 1 << 20


def test_what_is_said_in_more_than_one_line_has_its_time_in_each(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(b"one\ntwo words")
    assert kept(journal) == ["one", "two words"]
    assert journal.lines == 2


def test_a_full_disk_disturbs_nobody_and_is_said(tmp_path: Path) -> None:
    journal = Journal(tmp_path, LIMIT)
    write(journal, 10)
    (tmp_path / "log-1").symlink_to("/dev/full")
    lines = write(journal, 60)
    (tmp_path / "log-1").unlink()
    (tmp_path / "log-1").touch()
    found = kept(journal)
    assert found[10:-1] == lines[: len(found) - 11]
    assert found[-1] == "… lines are missing: there was no room for them on the disk …"


def test_who_reads_what_is_kept_holds_nobody_up_who_writes(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    lines = write(journal, 3)
    reading = journal.blocks()
    first = next(reading)
    writing = threading.Thread(target=journal.write, args=(b"more",), daemon=True)
    writing.start()
    writing.join(10)
    assert not writing.is_alive()
    assert [line.partition(" ")[2] for line in first.decode().splitlines()] == lines


def test_no_line_goes_into_anothers_file_whatever_becomes_of_its_own(tmp_path: Path) -> None:
    journal = Journal(tmp_path, LIMIT)
    while not (tmp_path / "log-2").exists():
        write(journal, 1)
    (tmp_path / "log-1").unlink()
    write(journal, 100)
    with (tmp_path / "another").open("wb") as other:
        write(journal, 100)
        assert other.tell() == os.fstat(other.fileno()).st_size == 0
