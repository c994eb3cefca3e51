"""Pods that cannot start or lose their place, on a real node: what the kubelet and the scheduler say is read as it is.

The pods are the operator's own manifests with one thing changed that only an administrator can get wrong, so they are made
by hand, under the name of an ImageBuild that is suspended.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from e2e.story import Story
from imagebuild.api.config import OperatorConfig
from imagebuild.api.imagebuild import parse
from imagebuild.api.status import Run
from imagebuild.contract.reasons import Reason
from imagebuild.core.observe import observe
from imagebuild.core.pod import pod
from testbed.deploy import operator_config
from testbed.kubectl import Document, until

pytestmark = pytest.mark.cluster

APPARMOR = {"appArmorProfile": {"type": "Localhost", "localhostProfile": "no-such"}}
"""A node without AppArmor says something else than one without the profile."""
SECCOMP = {"seccompProfile": {"type": "Localhost", "localhostProfile": "imagebuild/no-such-profile.json"}}


def manifest(story: Story) -> Document:
    """A build pod as the operator makes it, that nobody takes for one of an ImageBuild of its own."""
    story.apply({"dockerfile": {"inline": "FROM scratch\n"}, "output": {"discard": True}, "suspend": True})
    build = parse(story.kubectl.get("imagebuild", "app"))
    assert build.spec is not None
    config = OperatorConfig.model_validate(operator_config(story.place))
    made = deepcopy(pod(build, build.spec, Run(number=1, inputs_hash=""), 1, config))
    del made["metadata"]["labels"]["app.kubernetes.io/managed-by"]
    return made


@pytest.mark.parametrize(
    ("changes", "reason", "said"),
    [
        pytest.param({"securityContext": SECCOMP}, Reason.PROFILE_MISSING, "no-such-profile", id="profile"),
        pytest.param({"securityContext": APPARMOR}, Reason.CONTAINER_NOT_STARTED, "apparmor", id="AppArmor's"),
        pytest.param({"image": "{registry}/no/such:1"}, Reason.IMAGE_PULL_FAILED, "no/such", id="builder image"),
        pytest.param(
            {"command": ["/no/such"]}, Reason.CONTAINER_NOT_STARTED, "/no/such", id="builder image of something else"
        ),
    ],
)
def test_a_pod_that_cannot_start_says_what_is_missing(
    story: Story, changes: dict[str, Any], reason: Reason, said: str
) -> None:
    made = manifest(story)
    (container,) = made["spec"]["containers"]
    for key, value in changes.items():
        container[key] = value.format(registry=story.place.registry) if key == "image" else value
    story.kubectl.create(made)

    def told() -> bool:
        seen = observe(story.kubectl.get("pod", made["metadata"]["name"]))
        return seen.reason is reason and said in seen.message.lower()

    until(f"the pod to be seen as {reason}", told, seconds=90)


@pytest.mark.parametrize("suffix", ["-userns"])
@pytest.mark.parametrize(
    ("dropped", "following"),
    [
        pytest.param({"hostUsers", "procMount"}, "Rootless", id="user namespaces are switched off"),
        pytest.param({"procMount"}, "UsernsMasked", id="an unmasked proc is switched off"),
    ],
)
def test_a_pod_that_has_lost_a_field_of_its_mode_builds_nothing(
    story: Story, suffix: str, dropped: set[str], following: str
) -> None:
    """As an API server does it, which says nothing."""
    assert story.namespace.endswith(suffix)
    made = manifest(story)
    (container,) = made["spec"]["containers"]
    for fields in (made["spec"], container["securityContext"]):
        for field in dropped & fields.keys():
            del fields[field]
    story.kubectl.create(made)

    def told() -> bool:
        seen = observe(story.kubectl.get("pod", made["metadata"]["name"]))
        return seen.reason is Reason.DAEMON_NOT_STARTED and seen.message.endswith(f"mode is {following}")

    until(f"the pod to say {following}", told, seconds=90)


@pytest.mark.parametrize("suffix", ["-userns"])
def test_a_mode_that_the_namespace_refuses_is_named_with_the_next_one(story: Story, suffix: str) -> None:
    """Pod Security level baseline admits an unmasked /proc from 1.35 on."""
    assert story.namespace.endswith(suffix)
    story.kubectl("label", "namespace", story.namespace, "pod-security.kubernetes.io/enforce-version=v1.34")
    story.apply(story.inline(output={"discard": True}))
    message = story.fails("PodRejected")["message"]
    assert "procMount" in message
    assert message.endswith("the isolation mode Userns does not work here; the next one is UsernsMasked")
