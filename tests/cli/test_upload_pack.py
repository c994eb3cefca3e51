"""A directory as archives: what of it arrives in the build pod, and what a change of one file changes."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagebuild.cli.upload.ignore import Ignore
from imagebuild.cli.upload.pack import LARGEST, Packed, groups, pack
from imagebuild.cli.upload.problem import UploadError
from imagebuild.cli.upload.tree import Entry, Tree
from imagebuild.runner.unpack import unpack


def entries(root: Path) -> list[Entry]:
    return list(Tree(root, Ignore()).entries())


def packed(root: Path, group: list[Entry]) -> tuple[Packed, bytes]:
    file = io.BytesIO()
    return pack(root, group, file, lambda _: None), file.getvalue()


def digests(root: Path) -> list[str]:
    return [packed(root, group)[0].digest for group in groups(entries(root))]


def look(root: Path) -> dict[str, tuple[int, str | bytes]]:
    """Kinds, modes of files, and contents."""
    found: dict[str, tuple[int, str | bytes]] = {}
    for path in root.rglob("*"):
        about, name = path.lstat(), str(path.relative_to(root))
        if stat.S_ISLNK(about.st_mode):
            found[name] = (0, str(path.readlink()))
        else:
            found[name] = (about.st_mode if path.is_file() else 0, path.read_bytes() if path.is_file() else "")
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    (root / "d/empty").mkdir(parents=True)
    (root / "run").write_text("#!/bin/sh\n")
    (root / "run").chmod(0o755)
    (root / "d/secret").write_bytes(b"\0\xff")
    (root / "d/secret").chmod(0o600)
    (root / "d/link").symlink_to("../run")
    (root / "d/absolute").symlink_to("/usr/bin/python3")
    (root / "d/nowhere").symlink_to("../../../x")
    (root / "d/directory").symlink_to("empty")
    (root / ("long" * 40 + "ä")).write_text("a name of more than a hundred bytes")
    (root / os.fsdecode(b"no\xfftext")).write_text("a name that is no text")
    return root


def test_what_is_packed_arrives_as_it_was(source: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    for number, group in enumerate(groups(entries(source))):
        (tmp_path / str(number)).write_bytes(packed(source, group)[1])
        unpack(tmp_path / str(number), there, lambda: None, links=True)
    assert look(there) == look(source)


def test_the_digest_depends_on_the_files_alone(source: Path, tmp_path: Path) -> None:
    """Another checkout, at another time, by somebody with another umask."""
    other = tmp_path / "other"
    shutil.copytree(source, other, symlinks=True)
    for path in other.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
        if path.is_file() and not path.is_symlink() and path.name != "secret":
            path.chmod(path.stat().st_mode | 0o020)
        elif path.is_dir():
            path.chmod(0o775)
    assert digests(other) == digests(source)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("printf x > run", id="a content"),
        pytest.param("chmod -x run", id="a permission"),
        pytest.param("ln -sfn elsewhere d/link", id="a link"),
        pytest.param("mv run ran", id="a name"),
        pytest.param("rmdir d/empty", id="an empty directory"),
    ],
)
def test_another_content_has_another_digest(source: Path, change: str) -> None:
    before = digests(source)
    subprocess.run(["sh", "-c", change], cwd=source, check=True)
    assert digests(source) != before


def test_what_is_neither_file_nor_link_is_not_sent_and_named(source: Path) -> None:
    os.mkfifo(source / "d/pipe")
    said: list[str] = []
    found = [entry.path for entry in Tree(source, Ignore(), warn=said.append).entries()]
    assert ("d/pipe" in found, said) == (False, ["d/pipe is neither file, directory nor link, and is not sent"])


@pytest.mark.parametrize("content", [None, "shorter"])
def test_a_file_that_changes_meanwhile_is_named(source: Path, content: str | None) -> None:
    found = entries(source)
    (source / "run").write_text(content) if content else (source / "run").unlink()
    with pytest.raises(UploadError, match=r"^run cannot be sent \(.+\): "):
        packed(source, found)


def test_a_disk_that_is_full_is_not_blamed_on_a_file(source: Path) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(UploadError, match=r"^an archive .* TMPDIR"):
        pack(source, entries(source), full, lambda _: None)


SIZES = st.lists(st.sampled_from([0, 100, 10_000, 1_000_000, 3_000_000, LARGEST]), max_size=60)


def files(sizes: list[int]) -> list[Entry]:
    return [Entry(path=f"{number:03}", kind=stat.S_IFREG, mode=0o644, size=size) for number, size in enumerate(sizes)]


@given(SIZES)
def test_each_file_is_in_one_archive_of_bounded_size(sizes: list[int]) -> None:
    given_files = files(sizes)
    found = list(groups(given_files))
    assert sorted((entry for group in found for entry in group), key=lambda entry: entry.path) == given_files
    assert all(group for group in found)
    assert all(len(group) == 1 or sum(entry.size for entry in group) <= LARGEST for group in found)


@settings(max_examples=50)
@given(st.integers(0, 1999), st.sampled_from(["change", "remove", "add"]))
def test_one_file_moves_no_boundary_far_away(number: int, what: str) -> None:
    """Of about eight archives no more than two are others; counting from the start it would be all that follow."""
    before = files([20_000] * 2000)
    after = list(before)
    if what == "change":
        after[number] = Entry(path=before[number].path, kind=stat.S_IFREG, mode=0o644, size=20_001)
    elif what == "remove":
        del after[number]
    else:
        after.insert(number + 1, Entry(path=f"{number:03}+", kind=stat.S_IFREG, mode=0o644, size=20_000))
    old = list(groups(before))
    new = [group for group in groups(after) if group not in old]
    assert len(old) >= 4
    assert len(new) <= 2


def test_memory_is_bounded_by_an_archive_not_by_a_file(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(LARGEST * 8)
    script = (
        "import resource, sys, tempfile; from pathlib import Path; sys.path[:0] = sys.argv[2:]\n"
        "from imagebuild.cli.upload.ignore import Ignore\n"
        "from imagebuild.cli.upload.pack import groups, pack\n"
        "from imagebuild.cli.upload.tree import Tree\n"
        "root, most = Path(sys.argv[1]), lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = most()\n"
        "for group in groups(Tree(root, Ignore()).entries()): pack(root, group, tempfile.TemporaryFile(), lambda _: None)\n"
        "print(most() - before)\n"
    )
    operator = str(Path(__file__).resolve().parents[2] / "operator")
    said = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), operator], capture_output=True, check=True, text=True
    )
    assert int(said.stdout) * 1024 < LARGEST
