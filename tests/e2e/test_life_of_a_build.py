"""What a build does about images that are there already, about silence, and about a step that is killed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from e2e.story import Story
from imagebuild.contract.plan import INPUTS_ANNOTATION
from testbed import registry

pytestmark = pytest.mark.cluster


def test_an_image_of_the_same_inputs_is_built_once_and_one_that_exists_is_not_overwritten(story: Story) -> None:
    output = {"images": [story.image("1"), story.image("2")], "ifExists": "Reuse"}
    spec = story.inline("FROM busybox:1.37\nRUN cat /proc/sys/kernel/random/uuid > /made\n", output=output)
    story.apply(spec)
    first = story.succeeds()
    assert first["reason"] == "Built"
    pushed = registry.manifest(story.place, story.image("2"))
    assert pushed is not None
    assert pushed[1]["annotations"][INPUTS_ANNOTATION]

    story.kubectl("delete", "imagebuild", "app")
    story.apply(spec)
    second = story.succeeds()
    assert (second["reason"], second["output"]["digest"]) == ("AlreadyBuilt", first["output"]["digest"])

    story.apply(spec, annotations={"imagebuild.dev/rebuild-at": datetime.now(UTC).isoformat()})
    assert story.succeeds(run=2)["reason"] == "Built", "somebody has asked for it"

    story.apply(story.inline("FROM busybox:1.37\nRUN echo other > /made\n", output=output), name="other")
    assert story.succeeds("other")["reason"] == "Built", "of other inputs"

    story.apply(story.inline(output={"images": [story.image("1")], "ifExists": "Fail"}), name="fail")
    assert story.image("1") in story.fails("ImageExists", "fail")["message"]


def test_a_step_that_hangs_is_named_and_ended_with_its_last_words(story: Story) -> None:
    dockerfile = "FROM busybox:1.37\nRUN echo begun && sleep 600\n"
    story.apply({"dockerfile": {"inline": dockerfile}, "output": {"discard": True}, "timeouts": {"silence": "5s"}})
    status = story.fails("Silent")
    assert "RUN echo begun" in status["message"]
    assert status["failure"]["logTail"] == "begun"


def test_a_step_that_claims_to_be_a_fault_of_the_node_is_not_believed(story: Story) -> None:
    lie = 'echo "runc run failed: unable to start container process: no cgroup" >&2; exit 1'
    story.apply({"dockerfile": {"inline": f"FROM busybox:1.37\nRUN {lie}\n"}, "output": {"discard": True}})
    story.fails("StepFailed")


def test_a_container_that_cannot_be_made_is_told_by_what_runc_logs(story: Story) -> None:
    dockerfile = "FROM busybox:1.37\nRUN --mount=type=tmpfs,target=/bin/busybox true\n"
    story.apply({"dockerfile": {"inline": dockerfile}, "output": {"discard": True}, "retryLimit": 0})
    assert "error mounting" in story.fails("ContainerFailed")["message"]


def test_a_step_that_takes_more_memory_than_there_is_is_told_from_one_that_fails(story: Story) -> None:
    """Where the kubelet has the kernel end all of a container together, that is all that can be said."""
    small = {"resources": {"requests": {"memory": "256Mi", "cpu": "50m"}, "limits": {"memory": "400Mi"}}}
    spec = {"dockerfile": {"inline": "FROM busybox:1.37\nRUN tail /dev/zero\n"}, "output": {"discard": True}}
    story.apply({**spec, "pod": small, "retryLimit": 0})
    status = story.finished()
    assert status["reason"] in {"StepOutOfMemory", "OutOfMemory"}, status
    assert "memory" in status["message"]
