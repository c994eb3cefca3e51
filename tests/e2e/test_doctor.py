"""`imagebuild doctor` on the real cluster: what its node can run, what a cluster can be wrong in, and nothing left behind."""

from __future__ import annotations

import json
import secrets
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from e2e.command import Command, as_a_ci_job
from e2e.story import Story
from testbed.kubectl import Kubectl, until

pytestmark = pytest.mark.cluster

MODES = ["Userns", "UsernsMasked", "Rootless"]
DOCTOR = "app.kubernetes.io/managed-by=imagebuild-doctor"


@pytest.fixture
def doctor(story: Story) -> Command:
    """Whose pods are gone when it has ended."""
    return Command(story)


def pods(story: Story) -> list[str]:
    return [each["metadata"]["name"] for each in story.kubectl.items("pods", f"--selector={DOCTOR}")]


def nothing_stays(story: Story) -> None:
    """A kubelet takes a moment to end what still ran."""
    until("the doctor's pods to be gone", lambda: not pods(story))


def found(command: Command, *words: str, code: int = 0) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(command("doctor", "-o", "json", *words, code=code).stdout)
    assert told["exitCode"] == code
    return told


def of_mode(told: dict[str, Any], mode: str, node: str = "") -> dict[str, Any]:
    (chosen,) = (each for each in told["classes"] if node in each["nodes"] or not node)
    (judged,) = (each for each in chosen["modes"] if each["isolation"] == mode)
    return {**judged, "checks": {each["check"]: each for each in judged["checks"]}}


def test_each_mode_is_tried_by_a_build_and_the_strongest_recommended(doctor: Command, story: Story) -> None:
    told = found(doctor)
    for mode in MODES:
        judged = of_mode(told, mode)
        assert judged["verdict"] == "works", json.dumps(judged, indent=1)
        assert {each["result"] for each in judged["checks"].values()} <= {"ok", "warning"}
        assert "the build took" in judged["checks"]["RUN step"]["seen"]
    assert of_mode(told, "Userns")["checks"]["user namespace"]["seen"].startswith("uid_map 0 ")
    assert (told["configured"], told["recommended"]) == ("Rootless", "Userns")
    assert "Set isolation: Userns" in told["advice"][0]
    nothing_stays(story)


def test_a_person_reads_a_table(doctor: Command, story: Story) -> None:
    told = doctor("doctor", "--isolation", "UsernsMasked").stdout
    (node, *_) = (each["metadata"]["name"] for each in story.kubectl.items("nodes"))
    assert f"class 1: {node}" in told
    assert "  seccomp profile         ok" in told
    assert "UsernsMasked works on all classes." in told


def test_a_profile_that_is_not_on_the_node_is_named(doctor: Command, story: Story) -> None:
    told = found(doctor, "--isolation=Rootless", "--seccomp-profile=imagebuild/no-such-profile.json", code=2)
    check = of_mode(told, "Rootless")["checks"]["seccomp profile"]
    assert (check["result"], check["finding"]) == ("not ok", "SeccompProfileMissing")
    assert "no-such-profile.json" in check["seen"]
    assert "manifests/seccomp" in check["fix"]
    nothing_stays(story)


def test_a_builder_image_that_cannot_be_pulled_says_nothing_of_the_node(doctor: Command, story: Story) -> None:
    image = f"{story.place.registry}/no/such:1"
    told = found(doctor, "--isolation=Rootless", f"--builder-image={image}", code=3)
    assert of_mode(told, "Rootless")["checks"]["builder image"]["finding"] == "ImagePullFailed"
    assert told["recommended"] is None
    nothing_stays(story)


def test_a_namespace_that_takes_no_build_pods_is_named(doctor: Command, story: Story) -> None:
    story.kubectl("label", "namespace", story.namespace, "pod-security.kubernetes.io/enforce=restricted", "--overwrite")
    told = found(doctor, "--isolation=Rootless", code=2)
    check = of_mode(told, "Rootless")["checks"]["pod admitted"]
    assert check["finding"] == "PodSecurity"
    assert "violates PodSecurity" in check["seen"]
    assert pods(story) == []


def test_a_quota_that_is_full_says_nothing_of_the_node(doctor: Command, story: Story) -> None:
    story.kubectl("create", "quota", "full", "--hard=pods=0")
    until("the quota to count", lambda: (story.kubectl.get("quota", "full").get("status") or {}).get("hard"))
    told = found(doctor, "--isolation=Rootless", code=3)
    check = of_mode(told, "Rootless")["checks"]["pod admitted"]
    assert (check["finding"], of_mode(told, "Rootless")["verdict"]) == ("QuotaExceeded", "unknown")


def test_who_may_not_list_nodes_has_one_looked_at_and_who_may_not_create_pods_is_told(
    story: Story, tmp_path: Path
) -> None:
    job = as_a_ci_job(story, tmp_path)
    image = f"--builder-image={story.place.builder_image}"
    refused = job("doctor", image, code=2)
    assert "You may not create pods in the namespace" in refused.stderr
    assert "--clusterrole=edit" in refused.stderr
    binding = ("create", "rolebinding", "editor", "--clusterrole=edit", f"--serviceaccount={story.namespace}:ci")
    story.kubectl(*binding)
    told = found(job, image, "--isolation=Rootless")
    assert [each["node"] for each in told["classes"]] == [""]
    assert of_mode(told, "Rootless")["verdict"] == "works"
    assert [note.partition(":")[0] for note in told["notes"]] == ["Nodes may not be listed"]
    nothing_stays(story)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "TERM"])
def test_an_interrupt_leaves_no_pod_behind(doctor: Command, story: Story, number: signal.Signals) -> None:
    running = doctor.start("doctor")
    until("a pod of it", lambda: pods(story))
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, out + err
    nothing_stays(story)


@pytest.fixture
def no_kubelet(kubectl: Kubectl) -> Iterator[str]:
    """A node that is nothing but an object. The taint keeps everything else off it, its name is the last of all."""
    name = f"no-kubelet-{secrets.token_hex(2)}"
    taint = {"key": "example.com/no-kubelet", "effect": "NoSchedule"}
    kubectl.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"taints": [taint]}})
    try:
        yield name
    finally:
        kubectl("delete", "node", name, "--wait=false")


def says_it_is_ready(kubectl: Kubectl, name: str) -> None:
    """For less than a minute: who hears no more of a node takes it for lost."""
    now = datetime.now(UTC).isoformat()
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now}
    capacity = {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "50Gi", "pods": "10"}
    info = {"osImage": "None", "operatingSystem": "linux", "architecture": "amd64"}
    status = {"conditions": [ready], "capacity": capacity, "allocatable": capacity, "nodeInfo": info}
    kubectl("patch", "node", name, "--subresource=status", f"--patch={json.dumps({'status': status})}")


def test_a_node_where_nothing_runs_is_left_out_or_given_up(
    doctor: Command, story: Story, kubectl: Kubectl, no_kubelet: str
) -> None:
    says_it_is_ready(kubectl, no_kubelet)
    told = found(doctor, "--isolation=Rootless")
    assert f"{no_kubelet}: it has the taint example.com/no-kubelet:NoSchedule" in told["notLookedAt"]
    says_it_is_ready(kubectl, no_kubelet)
    words = ("doctor", "-o", "json", "--isolation=Rootless", "--tainted", "--timeout=10s")
    process = doctor.start(*words)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 3, out + err
    judged = of_mode(json.loads(out), "Rootless", no_kubelet)
    assert judged["verdict"] == "unknown"
    assert judged["checks"]["container starts"]["seen"] == "the pod did not start within 10 s"
    nothing_stays(story)
