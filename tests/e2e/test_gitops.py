"""An ImageBuild that a GitOps tool keeps: nothing is fought over, nothing is done twice, and its health is its phase.

test_argocd.py has whole syncs, by Argo CD's own code.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from e2e.story import FIVE_STEPS, WAITS, Story
from testbed.gitops import health
from testbed.kubectl import Document, Kubectl, until
from testbed.place import ROOT

pytestmark = pytest.mark.cluster


def build(story: Story, name: str, dockerfile: str = FIVE_STEPS, **more: Any) -> Document:
    tracked = {"argocd.argoproj.io/tracking-id": f"shop:imagebuild.dev/ImageBuild:{story.namespace}/{name}"}
    return {
        "apiVersion": "imagebuild.dev/v1alpha1",
        "kind": "ImageBuild",
        "metadata": {"name": name, "annotations": tracked},
        "spec": story.inline(dockerfile, output={"discard": True}, **more),
    }


def synced(story: Story, document: Document) -> Document:
    """As Argo CD applies it with ServerSideApply=true. Gives what the API server answers."""
    words = ("apply", "--server-side", "--field-manager=argocd-controller", "-f", "-", "-o", "json")
    answer: Document = json.loads(story.kubectl(*words, stdin=json.dumps(document)))
    return answer


def judged(story: Story, name: str) -> tuple[str, str]:
    (said,) = health([story.kubectl.get("imagebuild", name)])
    return said.argo, said.kstatus


@pytest.mark.thorough
def test_what_nobody_has_seen_yet_is_not_done(story: Story) -> None:
    (said,) = health([synced(story, build(story, "new"))])
    assert (said.argo, said.kstatus) == ("Progressing", "InProgress")


@pytest.mark.thorough
def test_health_goes_with_the_build(story: Story) -> None:
    synced(story, build(story, "app", WAITS, suspend=True))
    story.reaches(reason="Suspended")
    assert judged(story, "app") == ("Suspended", "InProgress")
    synced(story, build(story, "app", WAITS, suspend=False))
    pod = story.reaches(phase="Running")["podName"]
    assert judged(story, "app") == ("Progressing", "InProgress")
    story.release(pod)
    story.succeeds()
    assert judged(story, "app") == ("Healthy", "Current")
    synced(story, build(story, "app", "FROM busybox:1.37\nRUN false\n", suspend=False))
    story.finished(run=2)
    assert judged(story, "app") == ("Degraded", "Failed")


def test_a_second_sync_changes_nothing_and_the_operator_owns_its_status_alone(story: Story) -> None:
    document = build(story, "app")
    synced(story, document)
    story.succeeds()
    until("a sync to change nothing, once the operator has had its last word", lambda: unchanged(story, document))
    owners = {entry["manager"]: entry for entry in managed(story)}
    assert owners.pop("argocd-controller")["operation"] == "Apply"
    (operators,) = owners.values()
    assert operators["subresource"] == "status"
    assert set(operators["fieldsV1"]) == {"f:status"}


def managed(story: Story) -> list[Document]:
    words = ("get", "imagebuild", "app", "--show-managed-fields", "-o", "jsonpath={.metadata.managedFields}")
    entries: list[Document] = json.loads(story.kubectl(*words))
    return entries


def unchanged(story: Story, document: Document) -> bool:
    before = story.kubectl.get("imagebuild", document["metadata"]["name"])
    after = synced(story, document)
    return bool(before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"])


def test_pruning_takes_the_pod_along(story: Story) -> None:
    synced(story, build(story, "app", WAITS))
    story.reaches(phase="Running")
    story.kubectl("delete", "imagebuild", "app", "--wait=false")
    until("the pod to be gone", lambda: not story.pods(), seconds=120)


def test_the_config_map_adds_its_key_and_leaves_the_others(new_namespace: Callable[[str], Kubectl]) -> None:
    here = new_namespace("")
    theirs = {"metadata": {"name": "argocd-cm"}, "data": {"url": "https://argo.example.com"}}
    here.create({"apiVersion": "v1", "kind": "ConfigMap", **theirs})
    document = (ROOT / "manifests" / "argocd" / "argocd-cm.yaml").read_text()
    ours = document.replace("namespace: argocd", f"namespace: {here.namespace}")
    here("apply", "--server-side", f"--field-manager={secrets.token_hex(2)}", "-f", "-", stdin=ours)
    assert set(here.get("configmap", "argocd-cm")["data"]) == {
        "url",
        "resource.customizations.health.imagebuild.dev_ImageBuild",
        "resource.customizations.actions.imagebuild.dev_ImageBuild",
    }
