"""A cache volume: what RUN --mount=type=cache keeps survives, and two builds never use it at once."""

from __future__ import annotations

import itertools
from datetime import datetime

import pytest

from e2e.story import Story
from testbed import claims
from testbed.kubectl import Document

pytestmark = pytest.mark.cluster

COUNTS = """\
FROM busybox:1.37
ARG NUMBER
RUN --mount=type=cache,target=/kept echo $NUMBER >> /kept/seen && echo seen: $(cat /kept/seen)
"""
CACHE: Document = {"volume": {"claimName": "cache"}}


def spec(story: Story, number: int) -> Document:
    return story.inline(COUNTS, output={"discard": True}, cache=CACHE, args={"NUMBER": str(number)})


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
    times = sorted(
        (datetime.fromisoformat(each["startedAt"]), datetime.fromisoformat(each["finishedAt"])) for each in ended
    )
    assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(times))
    assert {each["attempt"] for each in ended} == {1}
