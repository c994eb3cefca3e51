"""The entry of `imagebuild doctor`'s pods: a build like any other from a context of its own, and the facts of its place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from imagebuild import __version__
from imagebuild.contract import plan, probe, result
from imagebuild.contract.plan import Dockerfile, Plan
from imagebuild.contract.reasons import Reason
from imagebuild.runner.facts import facts
from runner.pod import OPERATOR, Pod

KUBELET_KEEPS = 4096


def run(pod: Pod, asked: Plan | str) -> str:
    """The termination message."""
    pod.plan_file.write_text(asked if isinstance(asked, str) else plan.dump(asked))
    flags = {"--plan": pod.plan_file, "--stop": pod.stop_file, "--work": pod.work, "--result": pod.result_file}
    words = [str(word) for pair in flags.items() for word in pair]
    environment = {"PATH": f"{pod.bin}:{os.environ['PATH']}"}
    command = [sys.executable, *probe.COMMAND[1:], *words]
    subprocess.run(command, cwd=OPERATOR, env=environment, check=False, capture_output=True, timeout=60)
    return pod.result_file.read_text()


def test_it_builds_from_a_program_of_the_image_and_reports_the_result_and_the_facts(pod: Pod) -> None:
    message = run(pod, Plan(dockerfile=Dockerfile(inline=probe.DOCKERFILE)))
    said, seen = result.parse(message), probe.parse(message)
    assert said is not None
    assert said.essentials.reason is Reason.BUILT
    assert seen is not None
    assert (seen.version, seen.kernel) == (__version__, os.uname().release)
    (call,) = pod.seen("buildctl")
    (context,) = (word.removeprefix("--local=context=") for word in call["argv"] if "--local=context=" in word)
    assert os.access(Path(context) / probe.PROGRAM, os.X_OK)
    assert len(message.encode()) < KUBELET_KEEPS


def test_the_facts_are_told_whatever_becomes_of_the_build(pod: Pod) -> None:
    pod.behave(daemon_says="[rootlesskit:parent] error: newuidmap failed: write to uid_map failed")
    message = run(pod, Plan(dockerfile=Dockerfile(inline=probe.DOCKERFILE)))
    said = result.parse(message)
    assert said is not None
    assert said.essentials.reason is Reason.DAEMON_NOT_STARTED
    assert probe.parse(message) is not None


def test_a_plan_that_cannot_be_read_is_reported_too(pod: Pod) -> None:
    message = run(pod, "{")
    said = result.parse(message)
    assert said is not None
    assert said.essentials.reason is Reason.RUNNER_FAILED
    assert probe.parse(message) is not None


MASKED = """\
22 1 0:20 / / rw - overlay overlay rw
23 22 0:21 / /proc rw - proc proc rw
24 23 0:22 / /proc/kcore rw - tmpfs tmpfs rw
25 22 8:1 /x {work} rw - ext4 /dev/sda rw
"""


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"proc/self/uid_map": "         0          0 4294967295\n"}, {"uid_map": "0 0 4294967295"}),
        ({"proc/self/mountinfo": MASKED}, {"proc_masked": True, "filesystem": "ext4"}),
        ({"proc/self/mountinfo": MASKED.replace("/proc/kcore", "/x")}, {"proc_masked": False}),
        ({"proc/self/status": "Name:\tx\nNoNewPrivs:\t1\n"}, {"no_new_privileges": True}),
        ({"proc/self/attr/current": "cri-containerd.apparmor.d (enforce)\n\0"}, {"confinement": "cri-containerd.apparmor.d (enforce)"}),
        ({"proc/sys/user/max_user_namespaces": "0\n"}, {"max_user_namespaces": 0}),
        ({"proc/sys/user/max_user_namespaces": "9999999999\n"}, {"max_user_namespaces": 2**31 - 1}),
        ({"proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"}, {"apparmor_restricts_userns": 1}),
        ({"sys/fs/cgroup/memory.max": "max\n"}, {"memory_limit": None}),
        ({"sys/fs/cgroup/memory.max": f"{4 << 30}\n"}, {"memory_limit": 4096}),
        ({"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, {"memory_limit": None}),
        ({}, {"uid_map": "", "filesystem": "", "max_user_namespaces": None}),
    ],
)  # fmt: skip
def test_facts_are_what_the_kernel_says(files: dict[str, str], expected: dict[str, object], tmp_path: Path) -> None:
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text.format(work=tmp_path))
    found = facts(tmp_path, tmp_path)
    assert {key: getattr(found, key) for key in expected} == expected
    assert found.disk_free is not None


def test_the_longest_facts_fit_beside_the_longest_result() -> None:
    long = "ü" * 500
    line = probe.dump(probe.Facts(version=long, kernel=long, uid_map=long, confinement=long, filesystem=long))
    assert result.LIMIT + 1 + len(line.encode()) <= KUBELET_KEEPS
    found = probe.parse(f"\n\n{line}")
    assert found is not None
    assert len(found.kernel) == 100
