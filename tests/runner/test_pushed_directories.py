"""What the command has pushed from a directory: links are kept and lead nobody out; files are as new as the fetch."""

from __future__ import annotations

import tarfile
import time

import pytest

from imagebuild.contract.layout import SOURCE_ARTIFACT
from imagebuild.contract.reasons import Reason
from runner.pod import Pod
from runner.test_archives import archive, member
from runner.test_artifacts import FLUX, Store, plan
from runner.test_artifacts import host as host  # noqa: PLC0414  a fixture
from runner.test_artifacts import store as store  # noqa: PLC0414  a fixture

LINKS = [member("absolute", tarfile.SYMTYPE, "/etc"), member("out", tarfile.SYMTYPE, "../../..")]


def test_links_of_a_pushed_directory_are_kept_as_in_a_checkout(pod: Pod, store: Store, host: str) -> None:
    store.artifact(store.blob(archive(*LINKS)), artifactType=SOURCE_ARTIFACT)
    _, log, code = pod.run(plan(host))
    assert code == 0, log
    links = {name: str((pod.work / "source" / name).readlink()) for name in ("absolute", "out")}
    assert links == {"absolute": "/etc", "out": "../../.."}


@pytest.mark.parametrize("name", ["out/file", "absolute/file", "absolute"])
def test_nothing_is_written_through_a_link_that_leads_out(pod: Pod, store: Store, host: str, name: str) -> None:
    links = [member("absolute", tarfile.SYMTYPE, str(pod.directory)), member("out", tarfile.SYMTYPE, "../..")]
    before = set(pod.directory.iterdir())
    store.artifact(
        store.blob(archive(*links)), store.blob(archive(member(name, tarfile.REGTYPE))), artifactType=SOURCE_ARTIFACT
    )
    found, log, _ = pod.run(plan(host))
    assert found.essentials.reason is Reason.ARCHIVE_INVALID, log
    assert {path.name for path in set(pod.directory.iterdir()) - before} <= {"plan.json", "result"}


def test_a_hard_link_to_somewhere_else_is_none_of_a_pushed_directory(pod: Pod, store: Store, host: str) -> None:
    store.artifact(
        store.blob(archive(member("x", tarfile.LNKTYPE, "../../bin/driven.py"))), artifactType=SOURCE_ARTIFACT
    )
    found, log, _ = pod.run(plan(host))
    assert found.essentials.reason is Reason.ARCHIVE_INVALID, log


def test_what_has_no_time_gets_that_of_the_fetch(pod: Pod, store: Store, host: str) -> None:
    """Else a file of the same size with other content is no change for BuildKit's state on a claim."""
    old = member("old")
    old.mtime = 1_000_000
    store.artifact(store.blob(archive(old, file="content"), FLUX))
    before = int(time.time())
    _, log, code = pod.run(plan(host))
    assert code == 0, log
    times = {name: (pod.work / "source" / name).stat().st_mtime for name in ("old", "file")}
    assert (times["old"], times["file"] >= before) == (1_000_000, True)
