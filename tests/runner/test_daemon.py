"""buildkitd's start and end as the runner sees them: ready, silent, dead, and what a full disk looks like."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from imagebuild.contract.plan import Dockerfile, GitSource, Mount, Output, Plan
from imagebuild.contract.reasons import Reason
from imagebuild.runner.daemon import Daemon
from imagebuild.runner.problem import Problem
from runner.pod import FAILED, PUSHED, SUCCESS, Pod

INLINE = Plan(dockerfile=Dockerfile(inline="FROM scratch\n"), output=Output(images=("127.0.0.1:1/a:1",)))
OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
"""What root may in a pod's place, everybody may in a user namespace."""


CAUSES = {
    "a sysctl without user namespaces": (
        "[rootlesskit:parent] error: failed to setup UID/GID map: /proc/sys/user/max_user_namespaces needs to be set to non-zero",
        "sysctl user.max_user_namespaces",
    ),
    "no user namespace left": (
        "[rootlesskit:parent] error: failed to start the child: fork/exec /proc/self/exe: no space left on device",
        "sysctl user.max_user_namespaces",
    ),
    "Debian's sysctl": (
        "[rootlesskit:parent] error: /proc/sys/kernel/unprivileged_userns_clone needs to be set to 1",
        "sysctl kernel.unprivileged_userns_clone",
    ),
    "AppArmor": (
        "[rootlesskit:parent] error: failed to start the child: fork/exec /proc/self/exe: permission denied",
        "kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    "a seccomp profile": (
        "[rootlesskit:parent] error: failed to start the child: fork/exec /proc/self/exe: operation not permitted",
        "the seccomp profile forbids user namespaces",
    ),
    "sub-uids out of range": (
        "newuidmap 31 [0 1000 1 1 100000 65536] failed: newuidmap: write to uid_map failed: Operation not permitted",
        "/etc/subuid",
    ),
    "sub-gids out of range": (
        "newgidmap 31 [0 1000 1 1 100000 65536] failed: newgidmap: write to gid_map failed: Operation not permitted",
        "/etc/subgid",
    ),
    "no sub-uids at all": (
        "[rootlesskit:parent] error: failed to setup UID/GID map: No subuid ranges found for user 1000",
        "/etc/subuid has no sub-ids",
    ),
    "no new privileges": ("newuidmap 31 failed: newuidmap: Could not set caps", "allowPrivilegeEscalation: false"),
    "no mounts": (
        "[rootlesskit:child ] error: failed to share mount point: /: permission denied",
        "mounts are forbidden",
    ),
    "no cgroups": ("buildkitd: no cgroup mount found in mountinfo", "/sys/fs/cgroup is not mounted"),
    "no overlay": (
        "buildkitd: failed to create overlayfs snapshotter: failed to mount overlay: operation not permitted",
        "cannot hold overlayfs",
    ),
    "no d_type": ("buildkitd: /work/buildkit does not support d_type", "xfs needs ftype=1"),
    "something new": ("the moon is in the wrong phase", "the moon is in the wrong phase"),
    "something new, with where in the code it was": (
        "buildkitd: the moon is in the wrong phase\nmain.main\n\tmain.go:488\n[rootlesskit:child ] error: exit status 1",
        "exit code 1: buildkitd: the moon is in the wrong phase",
    ),
}  # fmt: skip


@pytest.fixture
def daemon(pod: Pod) -> Daemon:
    (pod.work / "run").mkdir()
    (pod.work / "report").mkdir()
    env = {"PATH": f"{pod.bin}:{os.environ['PATH']}"}
    return Daemon(pod.work, env, (), sandbox=False, patience=2.0)


def test_a_state_that_is_kept_on_a_volume_has_bounds(pod: Pod) -> None:
    volume = pod.work.parent / "volume"
    volume.mkdir()
    pod.behave(calls=[SUCCESS])
    pod.run(replace(INLINE, cache_volume=Mount(name="cache", path=str(volume))))
    (started,), bounds = pod.seen("buildkitd"), (pod.work / "buildkitd.toml").read_text()
    assert {f"--root={volume}/buildkit", "--oci-worker-gc=true"} <= set(started["argv"])
    assert tomllib.loads(bounds)["worker"]["oci"]["gcpolicy"] == [
        {"all": True, "reservedSpace": "10%", "maxUsedSpace": "80%", "minFreeSpace": "10%"}
    ]


def test_the_bound_of_processes_is_for_the_daemon_and_its_steps_and_not_for_the_runner(pod: Pod) -> None:
    """Which has to say what happened when there are too many."""
    pod.behave(calls=[SUCCESS])
    pod.run(replace(INLINE, processes=4000))
    (daemon,), (client,) = pod.seen("buildkitd"), pod.seen("buildctl")
    assert daemon["processes"] == [4000, 4000]
    assert client["processes"] != [4000, 4000]


def nothing() -> None:
    pass


def test_a_daemon_that_listens_and_never_answers_is_not_ready(pod: Pod, daemon: Daemon) -> None:
    """buildkitd listens before its worker is ready, or known to be impossible."""
    pod.behave(daemon_silent=True)
    with daemon, pytest.raises(Problem, match="did not answer within 2 s") as raised:
        daemon.wait(nothing)
    assert raised.value.reason is Reason.DAEMON_NOT_STARTED


def test_a_daemon_that_listens_and_then_finds_no_way_to_work_has_not_started(pod: Pod) -> None:
    words = "buildkitd: no cgroup mount found in mountinfo"
    pod.behave(daemon_silent=True, daemon_lives=0.3, daemon_last_words=words)
    found, log, _ = pod.run(INLINE)
    assert found.essentials.reason is Reason.DAEMON_NOT_STARTED
    assert "/sys/fs/cgroup is not mounted" in found.essentials.message
    assert words in log


@pytest.mark.parametrize("name", CAUSES)
def test_a_daemon_that_does_not_start_names_the_cause_on_the_node(pod: Pod, name: str) -> None:
    says, cause = CAUSES[name]
    pod.behave(daemon_says=says, calls=[SUCCESS])
    found, log, code = pod.run(INLINE)
    assert (found.essentials.reason, code) == (Reason.DAEMON_NOT_STARTED, 1)
    assert cause in found.essentials.message
    assert says.splitlines()[0] in log


def test_a_pod_without_new_privileges_is_told_from_one_with_the_wrong_sub_ids(pod: Pod) -> None:
    says, _ = CAUSES["sub-uids out of range"]
    pod.behave(daemon_says=says)
    found, _, _ = pod.end(pod.start(INLINE, "setpriv", "--no-new-privs"))
    assert "allowPrivilegeEscalation: false" in found.essentials.message


def test_a_daemon_that_has_no_room_is_a_full_disk(pod: Pod) -> None:
    pod.behave(daemon_says="buildkitd: mkdir /work/buildkit: no space left on device", calls=[SUCCESS])
    found, _, _ = pod.run(INLINE)
    assert found.essentials.reason is Reason.DISK_FULL


def test_a_start_is_given_up_when_the_build_is_stopped(pod: Pod) -> None:
    pod.behave(daemon_silent=True)
    running = pod.start(INLINE)
    pod.wait_for("buildkitd")
    pod.stop_file.write_text("Cancelled")
    found, _, _ = pod.end(running)
    assert found.essentials.reason is Reason.CANCELLED


def test_a_daemon_that_dies_is_to_blame_for_what_buildctl_says_then(pod: Pod) -> None:
    """buildctl notices it first."""
    lost = "error: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF"
    pod.behave(daemon_lives=0.6, calls=[{"sleep": 0.5, "output": lost, "code": 1}])
    found, log, _ = pod.run(INLINE)
    assert found.essentials.reason is Reason.DAEMON_DIED
    assert "in the middle of the build" in found.essentials.message
    assert "the daemon has died" in log


def test_a_step_that_fails_is_its_own_fault_while_the_daemon_lives(pod: Pod) -> None:
    pod.behave(calls=[FAILED])
    found, _, _ = pod.run(INLINE)
    assert found.essentials.reason is Reason.STEP_FAILED


def test_images_that_are_pushed_count_when_the_daemon_dies_while_it_writes_the_cache(pod: Pod) -> None:
    pod.behave(daemon_lives=1.5, calls=[{"trace": PUSHED, "sleep": 30}])
    found, _, code = pod.run(INLINE)
    assert (found.essentials.reason, code) == (Reason.BUILT, 0)


def test_a_git_server_that_hangs_does_not_hold_up_the_end_of_a_pod_whose_daemon_does_not_start(
    pod: Pod, silent_server: str
) -> None:
    pod.behave(daemon_says="something new")
    found, _, _ = pod.run(Plan(git=GitSource(url=f"http://{silent_server}/a.git")))
    assert found.essentials.reason is Reason.DAEMON_NOT_STARTED


def test_a_git_server_that_hangs_is_left_when_the_build_is_stopped(pod: Pod, silent_server: str) -> None:
    running = pod.start(Plan(git=GitSource(url=f"http://{silent_server}/a.git")))
    pod.wait_for("buildkitd")
    pod.stop_file.write_text("TimedOut")
    found, _, _ = pod.end(running)
    assert found.essentials.reason is Reason.TIMED_OUT


@pytest.mark.parametrize(
    ("kib", "files"),
    [
        pytest.param(8, 2, id="before the runner has its directories"),
        pytest.param(8, 60, id="before anything starts"),
        pytest.param(300, 60, id="while git writes"),
    ],
)
def test_a_full_disk_is_named(pod: Pod, git_repository: Path, git_server: str, kib: int, files: int) -> None:
    url = f"{git_server}/{git_repository.name}"
    mounted = f'mount -t tmpfs -o size={kib}k,nr_inodes={files} tmpfs {pod.work} && exec "$@"'
    running = pod.start(Plan(git=GitSource(url=url, branch="main")), *OWN_MOUNTS, mounted, "sh")
    found, log, code = pod.end(running)
    assert (found.essentials.reason, code) == (Reason.DISK_FULL, 1), log


def test_the_daemon_gets_the_registries_and_nothing_of_the_pods_environment(pod: Pod) -> None:
    pod.run(INLINE)
    (call,) = pod.seen("buildkitd")
    assert "PLANTED" not in json.dumps(call)
    assert call["env"]["USER"] == "user", "as root it would take its rootful paths"
    assert "--oci-worker-no-process-sandbox" in call["argv"]
    assert call["env"]["BUILDKIT_STEP_LOG_MAX_SPEED"] == "-1", "it would cut the end of what a loud step prints"
