"""What users say of the pod: a real scheduler, real priorities, a real gate, and a refusal that names who allows it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.story import Story
from testbed.kubectl import Document, until

pytestmark = pytest.mark.cluster

QUEUE, GATE = "kueue.x-k8s.io/queue-name", "kueue.x-k8s.io/admission"
DISCARD: Document = {"output": {"discard": True}}
ADMISSION = "admissionregistration.k8s.io/v1"
PODS = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}


def test_a_pod_has_the_settings_of_its_build_and_is_scheduled_by_them(story: Story) -> None:
    priority = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 7}
    name = f"e2e-{story.namespace}"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "builder"}}
    story.kubectl.apply(account, {**priority, "metadata": {"name": name}})
    here = {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
    try:
        story.apply(
            story.inline(
                pod={
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "tolerations": [{"key": "example.com/builds", "operator": "Exists"}],
                    "affinity": {
                        "nodeAffinity": {
                            "requiredDuringSchedulingIgnoredDuringExecution": {
                                "nodeSelectorTerms": [{"matchExpressions": [here]}]
                            }
                        }
                    },
                    "serviceAccountName": "builder",
                    "priorityClassName": name,
                    "labels": {"team": "shop"},
                    "annotations": {"example.com/cost-center": "4711"},
                },
                **DISCARD,
            )
        )
        story.succeeds()
    finally:
        story.kubectl("delete", "priorityclass", name)
    (pod,) = story.pods()
    assert (pod["spec"]["serviceAccountName"], pod["spec"]["priority"]) == ("builder", 7)
    assert pod["metadata"]["labels"]["team"] == "shop"
    assert pod["metadata"]["annotations"]["example.com/cost-center"] == "4711"
    assert {"key": "example.com/builds", "operator": "Exists"} in pod["spec"]["tolerations"]
    mounts = [mount["mountPath"] for mount in pod["spec"]["containers"][0]["volumeMounts"]]
    assert "/var/run/secrets/kubernetes.io/serviceaccount" not in mounts, "no token of it"


def test_an_affinity_that_no_node_fulfils_waits_with_the_words_of_the_scheduler(story: Story) -> None:
    term = {"matchExpressions": [{"key": "example.com/no-such-label", "operator": "Exists"}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    story.apply(story.inline(pod={"affinity": {"nodeAffinity": required}}, **DISCARD))
    assert "affinity" in story.reaches(reason="Unschedulable")["message"]


def test_what_the_administrator_has_not_listed_ends_the_build_and_is_named(story: Story) -> None:
    story.apply(story.inline(pod={"labels": {"app": "shop"}}, **DISCARD))
    assert story.fails("NotAllowed")["message"] == (
        "spec.pod.labels: app=shop is not allowed: the administrator lists what is in pod.allow.labels"
    )
    assert story.pods() == []


@pytest.fixture
def queue(story: Story) -> Iterator[Story]:
    """What Kueue does with a pod that names a queue, by the API server alone: it puts a gate before it."""
    name = {"metadata": {"name": f"{story.namespace}-gate"}}
    policy: Document = {
        "apiVersion": ADMISSION,
        "kind": "MutatingAdmissionPolicy",
        **name,
        "spec": {
            "matchConstraints": {"resourceRules": [PODS]},
            "matchConditions": [
                {"name": "queued", "expression": f"has(object.metadata.labels) && '{QUEUE}' in object.metadata.labels"}
            ],
            "reinvocationPolicy": "Never",
            "mutations": [
                {
                    "patchType": "ApplyConfiguration",
                    "applyConfiguration": {
                        "expression": "Object{spec: Object.spec{schedulingGates: "
                        f"[Object.spec.schedulingGates{{name: '{GATE}'}}]}}}}"
                    },
                }
            ],
        },
    }
    mine = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": story.namespace}}}
    spec = {"policyName": name["metadata"]["name"], "matchResources": mine}
    binding: Document = {"apiVersion": ADMISSION, "kind": "MutatingAdmissionPolicyBinding", **name, "spec": spec}
    cluster = story.kubectl.within("")
    cluster.apply(policy, binding)
    probe = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe", "labels": {QUEUE: "any"}}}
    container = {"name": "probe", "image": "probe", "resources": {}}
    wanted = {**probe, "spec": {"containers": [container]}}

    def in_force() -> bool:
        story.kubectl.create(wanted)
        made = story.kubectl.get("pod", "probe")
        story.kubectl("delete", "pod", "probe", "--grace-period=0", "--force")
        return "schedulingGates" in made["spec"]

    try:
        until("the gate to be in force", in_force)
        yield story
    finally:
        for kind in ("mutatingadmissionpolicybinding", "mutatingadmissionpolicy"):
            cluster("delete", kind, name["metadata"]["name"])


def test_a_pod_that_a_queue_holds_back_waits_until_it_is_let_go(queue: Story) -> None:
    queue.apply(queue.inline(pod={"labels": {QUEUE: "team-a"}}, **DISCARD))
    status = queue.reaches(reason="SchedulingGated")
    assert (status["phase"], status["attempt"]) == ("Pending", 1)
    queue.kubectl(
        "patch", "pod", status["podName"], "--type=json", '-p=[{"op":"remove","path":"/spec/schedulingGates"}]'
    )
    assert queue.succeeds()["podName"] == status["podName"]
