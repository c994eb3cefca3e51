"""A cache volume: what RUN --mount=type=cache keeps survives, and two builds never use it at once."""

from __future__ import annotations

import itertools
import re
from datetime import datetime

import pytest

from e2e.story import Story
from testbed import claims
from testbed.kubectl import Document, until

pytestmark = [pytest.mark.cluster, pytest.mark.thorough]

COUNTS = """\
FROM busybox:1.37
ARG NUMBER
RUN --mount=type=cache,target=/kept echo $NUMBER >> /kept/seen && echo seen: $(cat /kept/seen)
"""
CACHE: Document = {"volume": {"claimName": "cache"}}
KEPT: Document = {"volume": {"template": {"size": "1Gi", "key": "any word"}}}
OURS = "--selector=app.kubernetes.io/managed-by=imagebuild-operator"


def spec(story: Story, number: int, cache: Document = CACHE) -> Document:
    return story.inline(COUNTS, output={"discard": True}, cache=cache, args={"NUMBER": str(number)})


def one_after_the_other(ended: list[Document]) -> bool:
    times = sorted(
        (datetime.fromisoformat(each["startedAt"]), datetime.fromisoformat(each["finishedAt"])) for each in ended
    )
    return all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize(
    "suffix",
    [pytest.param("-rootless", id="as an ordinary user"), pytest.param("-userns", id="in a user namespace")],
)
def test_a_cache_mount_survives_and_so_do_the_steps(story: Story, suffix: str) -> None:
    claims.make(story.kubectl, "cache")
    for number in (1, 2):
        story.apply(spec(story, number), name=f"build-{number}")
        status = story.succeeds(f"build-{number}")
    assert "seen: 1 2" in story.kubectl("logs", status["podName"])
    story.apply(spec(story, 2), name="again")
    assert story.succeeds("again")["cache"]["summary"] == "1/1"


def test_builds_of_one_volume_run_one_after_the_other(story: Story) -> None:
    claims.make(story.kubectl, "cache")
    names = [f"build-{number}" for number in range(4)]
    for number, name in enumerate(names):
        story.apply(spec(story, number), name=name)
    ended = [story.succeeds(name) for name in names]
    assert one_after_the_other(ended)
    assert {each["attempt"] for each in ended} == {1}


def writable_claim(story: Story) -> str:
    """The claim that the operator makes for a first build, which may find that it is not writable: what kind gives."""
    story.apply(story.inline("FROM scratch\n", output={"discard": True}, cache=KEPT), name="first")
    story.finished("first")
    (claim,) = story.kubectl.items("pvc", OURS)
    name: str = claim["metadata"]["name"]
    claims.prepare(story.kubectl, name)
    return name


def test_the_operator_keeps_a_claim_of_a_template_for_all_builds_of_its_key_in_turn(story: Story) -> None:
    claim = writable_claim(story)
    names = [f"build-{number}" for number in range(3)]
    for number, name in enumerate(names):
        story.apply(spec(story, number, KEPT), name=name)
    ended = [story.succeeds(name) for name in names]
    assert one_after_the_other(ended)
    last = max(ended, key=lambda each: str(each["finishedAt"]))
    (seen,) = re.findall(r"seen: ([0-9 ]+)$", story.kubectl("logs", last["podName"]), re.MULTILINE)
    assert sorted(seen.split()) == ["0", "1", "2"]
    assert {each["effective"]["cacheVolume"] for each in ended} == {claim}
    assert [each["metadata"]["name"] for each in story.kubectl.items("pvc")] == [claim]


def test_a_claim_of_a_template_outlives_its_builds_and_goes_when_nobody_has_used_it_for_long(story: Story) -> None:
    name = writable_claim(story)
    for number in (1, 2):
        story.apply(spec(story, number, KEPT))
        status = story.succeeds(run=number)
    assert "seen: 1 2" in story.kubectl("logs", status["podName"])
    story.kubectl("delete", "imagebuild", "app", "first")
    story.apply(spec(story, 3, KEPT), name="next")
    assert "seen: 1 2 3" in story.kubectl("logs", story.succeeds("next")["podName"])
    story.kubectl("delete", "imagebuild", "next")
    until("the build pods to be gone", lambda: not story.pods(), seconds=60)
    story.kubectl("annotate", "pvc", name, "--overwrite", "imagebuild.dev/last-used=2020-01-01T00:00:00Z")
    until("the claim to be gone", lambda: not story.kubectl.items("pvc", OURS), seconds=120)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        pytest.param({"size": "3Gi"}, "is more than the 2Gi of cacheVolumes.maxSize", id="too large"),
        pytest.param({"size": "1Gi", "storageClassName": "fast"}, "cacheVolumes.storageClasses", id="a class"),
    ],
)
def test_a_template_that_is_not_allowed_is_refused_at_once(story: Story, template: Document, said: str) -> None:
    story.apply(spec(story, 1, {"volume": {"template": template}}))
    assert said in story.fails("NotAllowed")["message"]
    assert story.kubectl.items("pvc") == []
