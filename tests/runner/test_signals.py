"""The runner as the first process of its pod: who may stop it, and with what."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from imagebuild.contract.plan import Dockerfile, Mount, Output, Plan
from imagebuild.contract.reasons import Reason
from runner.pod import DIGEST, DONE, EXPORT, FAILED, PUSHED, SUCCESS, Pod, vertex

INLINE = Plan(dockerfile=Dockerfile(inline="FROM scratch\n"), output=Output(images=("127.0.0.1:1/a:1",)))
AS_FIRST_PROCESS = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child")
"""Its own process namespace, as in a pod; the user namespace makes it possible without root."""


def test_signals_from_inside_the_pod_are_ignored(pod: Pod) -> None:
    """A RUN step may share the pod's processes, and must not end the build as if the operator had asked for it."""
    # nothing is pushed: an image that is would win over a stop
    pod.behave(calls=[{"signals_to_first_process": ["SIGTERM", "SIGINT", "SIGHUP"], "sleep": 1}])
    found, log, code = pod.end(pod.start(replace(INLINE, output=Output()), *AS_FIRST_PROCESS))
    assert log.count("#1 sent") == 3, log
    assert (found.essentials.reason, code) == (Reason.BUILT, 0)


def test_what_a_step_leaves_behind_is_reaped_and_nobodys_exit_code_is_lost(pod: Pod) -> None:
    pod.behave(calls=[{**FAILED, "leaves_behind": 0.2, "counts_zombies_after": 1}])
    found, log, _ = pod.end(pod.start(INLINE, *AS_FIRST_PROCESS))
    assert "#1 zombies: 0" in log, log
    assert found.essentials.reason is Reason.STEP_FAILED


def test_term_from_outside_the_pod_counts(pod: Pod) -> None:
    pod.behave(calls=[{"sleep": 60}])
    running = pod.start(INLINE, *AS_FIRST_PROCESS)
    pod.wait_for("buildctl")
    (first,) = map(int, Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split())
    os.kill(first, signal.SIGTERM)
    found, _, code = pod.end(running)
    assert (found.essentials.reason, code) == (Reason.STOPPED, 1)


def test_a_stop_after_one_of_two_images_is_pushed_is_no_success(pod: Pod) -> None:
    pushing = [
        vertex(EXPORT, "exporting to image", **DONE),
        vertex(EXPORT, "exporting to image"),
        PUSHED[1],
        {"statuses": [{"id": f"pushing manifest for 127.0.0.1:1/b:1@{DIGEST}", "vertex": EXPORT}]},
    ]
    pod.behave(calls=[{"trace": pushing, "sleep": 60}])
    running = pod.start(
        Plan(dockerfile=INLINE.dockerfile, output=Output(images=("127.0.0.1:1/a:1", "127.0.0.1:1/b:1")))
    )
    pod.wait_for("buildctl")
    pod.stop_file.write_text("Superseded")
    found, _, code = pod.end(running)
    assert (found.essentials.reason, found.essentials.digest, code) == (Reason.SUPERSEDED, None, 1)


def test_a_push_that_was_refused_is_no_success_though_the_trace_has_it_completed(pod: Pod) -> None:
    refused = vertex(EXPORT, "exporting to image", **DONE, error="failed to push 127.0.0.1:1/a:1: denied")
    pod.behave(calls=[{"trace": [PUSHED[1], refused], "code": 1}])
    found, _, _ = pod.run(INLINE)
    assert (found.essentials.reason, found.essentials.digest) == (Reason.REGISTRY_DENIED, None)


def test_a_process_that_is_left_behind_does_not_hold_up_the_result(pod: Pod) -> None:
    pod.behave(calls=[{**SUCCESS, "leaves_behind": 50}])
    found, _, code = pod.run(INLINE)
    assert (found.essentials.reason, code) == (Reason.BUILT, 0)


@pytest.mark.parametrize("name", ["Dockerfile.\udcff", "Dockerfile.\u65e5\u672c", "Dockerfile.\n\x1b[31m"])
def test_no_name_of_a_file_keeps_the_result_from_being_written(pod: Pod, tmp_path: Path, name: str) -> None:
    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted" / name).touch()
    found, log, code = pod.run(Plan(directory=Mount(name="context", path=str(tmp_path / "mounted"))))
    assert (found.essentials.reason, code) == (Reason.FILE_NOT_FOUND, 1), log
