"""`imagebuild timeline` against a real build: while it runs, when it is over, and when its pod is gone."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from e2e.command import Command
from e2e.story import Story
from imagebuild.contract import timeline

pytestmark = pytest.mark.cluster

FORGED = timeline.PREFIX + '{"since":1.0,"steps":[]}'
TWO_STAGES = f"""\
FROM busybox:1.37 AS one
RUN echo '{FORGED}'; sleep 3; echo one > /one
FROM busybox:1.37 AS two
RUN sleep 3; echo two > /two
FROM busybox:1.37
COPY --from=one /one /one
COPY --from=two /two /two
RUN /bin/sleep 86400 || true
"""


def began_and_ended(spans: list[dict[str, Any]], stage: str) -> tuple[datetime, datetime]:
    """Of the RUN step of a stage."""
    (step,) = (span for span in spans if span["group"] == stage and "RUN" in span["name"])
    assert step["seconds"] >= 3
    start = datetime.fromisoformat(step["start"])
    return start, start + timedelta(seconds=step["seconds"])


def test_where_the_time_of_a_build_went_is_told_while_it_runs_and_afterwards(story: Story) -> None:
    imagebuild = Command(story)
    story.apply(story.inline(TWO_STAGES), name="shop")
    pod = story.reaches("shop", phase="Running")["podName"]
    story.sleeps(pod)
    running = imagebuild("timeline", "shop").stdout
    assert running.isascii()
    assert "stage one\n" in running
    assert [line for line in running.splitlines() if "RUN /bin/sleep 86400" in line and ">" in line], running
    assert "Times of steps are those of lines in the log" in running

    story.release(pod)
    status = story.succeeds("shop")
    told = json.loads(imagebuild("timeline", "shop", "-o", "json").stdout)
    spans = {span["name"]: span for span in told["spans"]}
    assert told["steps"] == "exact"
    one, two = (began_and_ended(told["spans"], f"stage {name}") for name in ("one", "two"))
    assert max(one[0], two[0]) < min(one[1], two[1]), "side by side"
    phases = {"queue", "schedule", "container start", "fetch", "daemon", "exporting to image", "pushing the image"}
    assert phases <= set(spans)
    assert spans["daemon"]["seconds"] == status["timings"]["daemon"]
    drawn = imagebuild("timeline", "shop").stdout
    assert "2/2 RUN sleep 3" in drawn
    assert "Times of steps" not in drawn
    assert timeline.PREFIX not in "\n".join(
        line for line in imagebuild("logs", "shop").stdout.splitlines() if line.startswith("imagebuild:")
    )

    story.kubectl("delete", "pod", pod)
    gone = imagebuild("timeline", "shop").stdout
    assert f"The pod {pod} is gone" in gone
    assert "build, push, cache" in gone
