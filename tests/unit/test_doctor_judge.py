"""`imagebuild doctor`: what a pod's end, its refusal or its silence says of a node. Reports in, checks and fixes out.

Reports of what this project's cluster cannot be made to do are put together from the words of kubelets and runtimes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

import make
from imagebuild.api.config import Isolation
from imagebuild.cli.doctor import outcome
from imagebuild.cli.doctor.findings import Check, Finding
from imagebuild.cli.doctor.judge import Judged, Judgement, Needs, Result, Verdict, judge
from imagebuild.cli.doctor.nodes import Node
from imagebuild.cli.doctor.outcome import REFUSED, Outcome
from imagebuild.cli.doctor.platforms import FIXES
from imagebuild.contract import probe
from imagebuild.contract.probe import Facts
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import BuildResult, Essentials, dump
from imagebuild.runner import daemon

NODE = Node(
    name="a", os_image="Debian GNU/Linux 13 (trixie)", kernel="6.12.1", runtime="containerd://2.1.0", kubelet="v1.36.3"
)
NEEDS = Needs(memory="4Gi", disk="2Gi")
USERNS = Facts(version="0.1.0", kernel="6.12.1", uid_map="0 3355443200 65536", filesystem="ext4", disk_free=50_000)
HOST = replace(USERNS, uid_map="0 0 4294967295", proc_masked=True)
RAN = Outcome(reason=Reason.BUILT, ended=True, facts=USERNS, node="a", took=timedelta(seconds=3))
IDMAP = "runc create failed: failed to set MOUNT_ATTR_IDMAP on /var/lib/kubelet/pods/x: invalid argument (maybe the filesystem used doesn't support idmap mounts on this kernel?)"
NO_USERNS = 'Failed to create pod sandbox: the handler "" is not known to support user namespaces'
NO_NETWORK = 'Failed to create pod sandbox: plugin type="calico" failed (add): error getting ClusterInformation'
RESTRICTED = 'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false'
SCC = (
    'pods "x" is forbidden: unable to validate against any security context constraint: [provider "anyuid": Forbidden]'
)


def judged(outcome: Outcome, mode: Isolation = Isolation.USERNS, **node: Any) -> Judgement:
    return judge(mode, outcome, replace(NODE, **node), NEEDS)


def the(judgement: Judgement, check: Check) -> Judged:
    (found,) = (each for each in judgement.checks if each.check is check)
    return found


def daemon_says(said: str, **facts: Any) -> Outcome:
    return Outcome(reason=Reason.DAEMON_NOT_STARTED, message=said, ended=True, facts=replace(USERNS, **facts))


@pytest.mark.parametrize("mode", Isolation, ids=str)
def test_a_build_that_succeeds_is_a_mode_that_works(mode: Isolation) -> None:
    found = judged(RAN if mode is not Isolation.ROOTLESS else replace(RAN, facts=HOST), mode)
    assert found.verdict is Verdict.WORKS
    assert found.troubles == ()
    assert the(found, Check.STEP).seen == "the build took 3 s"
    asked = {each.check for each in found.checks}
    assert (Check.USERNS in asked) is (mode is not Isolation.ROOTLESS)
    assert (Check.PROC in asked) is (mode is Isolation.USERNS)


@pytest.mark.parametrize(
    ("mode", "facts", "check", "finding"),
    [
        (Isolation.USERNS, HOST, Check.USERNS, Finding.USERNS_IGNORED),
        (Isolation.USERNS_MASKED, HOST, Check.USERNS, Finding.USERNS_IGNORED),
        (Isolation.USERNS, replace(USERNS, proc_masked=True), Check.PROC, Finding.PROC_MASKED),
    ],
)
def test_a_build_that_succeeds_without_what_the_mode_promises_is_not_the_mode(
    mode: Isolation, facts: Facts, check: Check, finding: Finding
) -> None:
    found = judged(replace(RAN, facts=facts), mode, kubelet="v1.31.2")
    assert (found.verdict, the(found, check).finding) == (Verdict.FAILS, finding)
    assert "v1.31.2: pods with user namespaces are on by default from v1.33" in the(found, check).fix


ENDS = [
    (Outcome(reason=REFUSED, message=RESTRICTED), Check.ADMITTED, Finding.POD_SECURITY, Verdict.FAILS),
    (Outcome(reason=REFUSED, message=SCC), Check.ADMITTED, Finding.OPENSHIFT, Verdict.FAILS),
    (Outcome(reason=REFUSED, message="exceeded quota: q, requested: pods=1"), Check.ADMITTED, Finding.QUOTA, Verdict.UNKNOWN),
    (Outcome(reason=REFUSED, message='admission webhook "w" denied it'), Check.ADMITTED, Finding.REFUSED, Verdict.FAILS),
    (Outcome(reason=Reason.UNSCHEDULABLE, message="Insufficient cpu"), Check.SCHEDULED, Finding.NO_ROOM, Verdict.UNKNOWN),
    (Outcome(reason=Reason.IMAGE_PULL_FAILED, message="not found"), Check.IMAGE, Finding.IMAGE, Verdict.UNKNOWN),
    (Outcome(reason=Reason.PROFILE_MISSING, message="seccomp"), Check.PROFILE, Finding.PROFILE, Verdict.FAILS),
    (Outcome(reason=Reason.CONTAINER_NOT_STARTED, message=NO_USERNS), Check.USERNS, Finding.NO_USERNS, Verdict.FAILS),
    (Outcome(reason=Reason.CONTAINER_NOT_STARTED, message=IDMAP), Check.USERNS, Finding.NO_USERNS, Verdict.FAILS),
    (Outcome(reason=Reason.CONTAINER_NOT_STARTED, message=NO_NETWORK), Check.SANDBOX, Finding.SANDBOX, Verdict.UNKNOWN),
    (Outcome(reason=Reason.CONTAINER_NOT_STARTED, message="exec: no such file"), Check.STARTED, Finding.NOT_STARTED, Verdict.FAILS),
    (Outcome(reason=Reason.UNKNOWN, message="left no result", ended=True), Check.STARTED, Finding.BUILDER, Verdict.UNKNOWN),
    (Outcome(reason=Reason.TIMED_OUT, message="did not start"), Check.STARTED, Finding.TIMED_OUT, Verdict.UNKNOWN),
    (Outcome(reason=Reason.NODE_LOST), Check.STEP, Finding.LOST, Verdict.UNKNOWN),
    (replace(RAN, reason=Reason.CONTAINER_FAILED, message="runc"), Check.STEP, Finding.STEP, Verdict.FAILS),
    (replace(RAN, reason=Reason.STEP_FAILED, message="exit code 1"), Check.STEP, Finding.STEP, Verdict.FAILS),
    (replace(RAN, reason=Reason.OUT_OF_MEMORY), Check.MEMORY, Finding.OUT_OF_MEMORY, Verdict.FAILS),
    (replace(RAN, reason=Reason.DISK_FULL), Check.DISK, Finding.DISK, Verdict.UNKNOWN),
    (daemon_says("mounts are forbidden: …", confinement="cri-containerd.apparmor.d (enforce)"), Check.MOUNTS, Finding.APPARMOR_MOUNT, Verdict.FAILS),
    (daemon_says("mounts are forbidden: …", confinement="system_u:system_r:container_t:s0"), Check.MOUNTS, Finding.MOUNTS, Verdict.FAILS),
    (daemon_says("buildkitd did not answer within 60 s"), Check.DAEMON, Finding.DAEMON, Verdict.FAILS),
]  # fmt: skip


@pytest.mark.parametrize(("end", "check", "finding", "verdict"), ENDS, ids=[row[2] for row in ENDS])
def test_each_end_is_a_check_that_does_not_hold_with_a_fix(
    end: Outcome, check: Check, finding: Finding, verdict: Verdict
) -> None:
    found = judged(end)
    trouble = the(found, check)
    assert (found.verdict, trouble.result, trouble.finding) == (verdict, Result.NOT_OK, finding)
    assert trouble.seen == end.message
    assert trouble.fix
    order = list(Check)
    later = [each for each in found.checks if order.index(each.check) > order.index(check)]
    measured = {Check.KERNEL, Check.DISK, Check.MEMORY}
    assert {each.result for each in later if each.check not in measured} <= {Result.UNKNOWN}


@pytest.mark.parametrize(("sign", "told"), daemon._CAUSES, ids=[sign for sign, _ in daemon._CAUSES])
def test_every_cause_that_the_runner_knows_of_has_a_check_and_a_fix_of_its_own(sign: str, told: str) -> None:
    known = {"no cgroup mount found"}
    found = judged(daemon_says(told)).troubles
    assert len(found) == 1
    assert (found[0].finding is not Finding.DAEMON) or sign in known


@pytest.mark.parametrize(
    ("end", "unknown"),
    [
        pytest.param(Outcome(reason=Reason.CONTAINER_NOT_STARTED, message=NO_USERNS), Check.SANDBOX, id="no userns"),
        pytest.param(Outcome(reason=Reason.TIMED_OUT, node="a"), Check.SANDBOX, id="not started"),
        pytest.param(Outcome(reason=Reason.TIMED_OUT), Check.SCHEDULED, id="not taken by a node"),
        pytest.param(Outcome(reason=Reason.OUT_OF_MEMORY, ended=True), Check.PROC, id="killed without a word"),
        pytest.param(replace(RAN, reason=Reason.OUT_OF_MEMORY), Check.NESTED, id="killed"),
    ],
)
def test_nothing_is_said_to_hold_that_was_not_reached(end: Outcome, unknown: Check) -> None:
    assert the(judged(end), unknown).result is Result.UNKNOWN
    before = list(Check)[: list(Check).index(unknown)]
    checks = [each for each in judged(end).checks if each.check in before]
    assert Result.UNKNOWN not in {each.result for each in checks if each.check is not Check.USERNS}


def test_every_finding_has_a_fix_for_any_platform() -> None:
    assert {row.finding for row in FIXES if not row.on} == set(Finding)


NO_NAMESPACES = "the node allows no user namespaces: set the sysctl user.max_user_namespaces"
PLATFORMS = [
    ("Bottlerocket OS 1.30.0 (aws-k8s-1.32)", "", NO_NAMESPACES, "Bottlerocket's settings"),
    ("Bottlerocket (EKS Auto, Standard) 2026.1.1", "", NO_NAMESPACES, "EKS Auto Mode"),
    ("Bottlerocket", "eks.amazonaws.com/compute-type=auto", NO_NAMESPACES, "EKS Auto Mode"),
    ("Amazon Linux 2", "", NO_NAMESPACES, "launch template"),
    ("Amazon Linux 2023.6.20260101", "", NO_NAMESPACES, "Set user.max_user_namespaces on the node"),
    ("Talos (v1.11.0)", "", NO_NAMESPACES, "machine configuration"),
    ("Ubuntu 24.04.1 LTS", "", "AppArmor forbids user namespaces: …", "kernel.apparmor_restrict_unprivileged_userns=0"),
    ("Red Hat Enterprise Linux CoreOS 418.94", "", "/etc/subuid do not fit", "SecurityContextConstraints"),
    ("Container-Optimized OS from Google", "", "/etc/subuid do not fit", "moby/buildkit#3217"),
    ("Debian GNU/Linux 10 (buster)", "", "set the sysctl kernel.unprivileged_userns_clone", "unprivileged_userns_clone=1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("os_image", "marks", "said", "fix"), PLATFORMS, ids=[f"{row[0]} {row[1]}" for row in PLATFORMS]
)
def test_the_fix_is_that_of_the_platform(os_image: str, marks: str, said: str, fix: str) -> None:
    (trouble,) = judged(daemon_says(said), os_image=os_image, marks=marks).troubles
    assert fix in trouble.fix


def test_versions_that_are_too_old_are_named_beside_what_they_explain() -> None:
    old: dict[str, Any] = {"runtime": "containerd://1.7.24", "kernel": "5.15.0-100", "kubelet": "v1.32.1"}
    refused = Outcome(reason=Reason.CONTAINER_NOT_STARTED, message=NO_USERNS)
    told = the(judged(refused, **old), Check.USERNS).fix
    assert all(version in told for version in old.values())
    assert "need containerd 2.0.)" not in the(judged(refused), Check.USERNS).fix
    assert "5.4.0: overlayfs" in the(judged(daemon_says("the work volume cannot hold overlayfs"), kernel="5.4.0"), Check.OVERLAY).fix  # fmt: skip


def test_little_disk_little_memory_and_another_kernel_are_warnings() -> None:
    found = judged(replace(RAN, facts=replace(USERNS, disk_free=900, kernel="4.4.0")), memory="2Gi")
    assert found.verdict is Verdict.WORKS
    assert {each.finding for each in found.troubles} == {Finding.DISK, Finding.MEMORY, Finding.SANDBOXED}
    assert {each.result for each in found.troubles} == {Result.WARNING}


PODS = [
    ("a seccomp profile that is not there", make.waiting("CreateContainerError", "failed to load seccomp profile"), (), Reason.PROFILE_MISSING),
    ("a sandbox that cannot be made", make.waiting("ContainerCreating"), (("FailedCreatePodSandBox", NO_USERNS),), Reason.CONTAINER_NOT_STARTED),
    ("one that was made at last", make.waiting("ContainerCreating"), (("FailedCreatePodSandBox", NO_NETWORK), ("Pulling", "")), Reason.STARTING),
    ("no room", make.unschedulable("0/3 nodes are available"), (), Reason.UNSCHEDULABLE),
    ("nothing yet", {"phase": "Pending"}, (), Reason.STARTING),
    ("a deadline", make.killed("DeadlineExceeded"), (), Reason.TIMED_OUT),
]  # fmt: skip


@pytest.mark.parametrize(("status", "events", "reason"), [row[1:] for row in PODS], ids=[row[0] for row in PODS])
def test_a_pod_is_read_with_the_events_about_it(status: Any, events: Any, reason: Reason) -> None:
    document = make.pod_document(status=status)
    found = outcome.seen(document, [{"reason": word, "message": message} for word, message in events])
    assert found.reason == reason
    assert found.stuck is (reason not in (Reason.STARTING, Reason.TIMED_OUT))


def test_a_report_is_a_result_and_the_facts_behind_it() -> None:
    message = dump(BuildResult(essentials=Essentials(reason=Reason.BUILT))) + "\n" + probe.dump(USERNS)
    found = outcome.seen(make.pod_document(status=make.ended(message, code=0)))
    assert (found.built, found.facts, found.took) == (True, USERNS, timedelta(seconds=8))


@pytest.mark.parametrize("message", ["", "{}", "a\nb\nc", '{}\n{}\n{"disk_free": "much"}', "1\n2\n[3]"])
def test_facts_that_cannot_be_read_are_none(message: str) -> None:
    assert probe.parse(message) is None


def test_a_pod_that_nobody_waits_for_any_longer_says_what_it_is_stuck_in() -> None:
    stuck = Outcome(reason=Reason.IMAGE_PULL_FAILED, message="denied", stuck=True)
    assert outcome.unfinished(stuck, 5) is stuck
    assert outcome.unfinished(Outcome(reason=Reason.BUILDING), 5).message == "the pod did not end within 5 s"
