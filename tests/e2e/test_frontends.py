"""What reads the Dockerfile: BuildKit's own frontend, run as the image that people name, and what the list keeps out."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.story import Story
from testbed import frontend
from testbed.place import Place

pytestmark = pytest.mark.cluster

OTHER = "example.com/team/front:1"
LINE = f"# syntax={OTHER}\n"
STEPS = "FROM busybox:1.37\nRUN echo one > /one\n"


def log(story: Story) -> str:
    """All that the one pod has said."""
    (pod,) = story.pods()
    return story.kubectl("logs", pod["metadata"]["name"])


def read_by(story: Story, image: str, line: str = "", **more: Any) -> dict[str, Any]:
    return {**story.inline(**more), "dockerfile": {"inline": line + STEPS, "frontend": image}}


@pytest.fixture(scope="session")
def images(place: Place) -> tuple[str, str]:
    """A frontend, and an image that is none."""
    return frontend.push(place)


@pytest.mark.parametrize(
    ("suffix", "line", "args"),
    [
        pytest.param("-rootless", "", {}, id="as an ordinary user of the node"),
        pytest.param("-usernsmasked", "", {}, id="in a user namespace"),
        pytest.param("-userns", "", {}, id="with a process namespace of its own"),
        pytest.param("", LINE, {"BUILDKIT_SYNTAX": OTHER}, id="over the Dockerfile's line and the argument"),
    ],
)
def test_the_image_of_the_spec_reads_the_dockerfile(
    story: Story, images: tuple[str, str], suffix: str, line: str, args: dict[str, str]
) -> None:
    story.apply(read_by(story, images[0], line, args=args))
    assert story.succeeds()["cache"]["total"] == 1
    assert f"docker-image://{images[0]}" in log(story), "it was pulled"


def test_a_line_that_names_an_image_of_the_list_is_followed(story: Story, images: tuple[str, str]) -> None:
    story.apply(story.inline(f"# syntax={images[0]}\n{STEPS}"))
    story.succeeds()
    assert f"docker-image://{images[0]}" in log(story), "it was pulled"


def test_an_image_that_is_no_frontend_ends_the_build_with_its_name(story: Story, images: tuple[str, str]) -> None:
    story.apply(read_by(story, images[1]))
    assert images[1] in story.fails("FrontendFailed")["message"]
    assert len(story.pods()) == 1, "it is not tried again"


@pytest.mark.parametrize(
    ("line", "args"),
    [
        pytest.param(LINE, {}, id="by its first line"),
        pytest.param("", {"BUILDKIT_SYNTAX": OTHER}, id="by an argument"),
    ],
)
def test_a_frontend_that_the_administrator_does_not_allow_is_refused(
    story: Story, line: str, args: dict[str, str]
) -> None:
    story.apply(story.inline(f"{line}FROM busybox:1.37\n", args=args))
    assert "example.com/team/front" in story.fails("FrontendNotAllowed")["message"]
    assert len(story.pods()) == 1, "it is not tried again"


def test_one_that_the_spec_names_is_refused_without_a_pod(story: Story) -> None:
    story.apply(read_by(story, OTHER))
    assert f"{OTHER} is not allowed" in story.fails("FrontendNotAllowed")["message"]
    assert story.pods() == []


def test_a_context_of_its_name_does_not_take_the_place_of_one_that_is_allowed(
    story: Story, images: tuple[str, str]
) -> None:
    contexts = [{"name": "docker/dockerfile:1", "image": images[0]}]
    story.apply(story.inline(f"# syntax=docker/dockerfile:1\n{STEPS}", contexts=contexts))
    assert "docker/dockerfile:1 is no name for a context" in story.fails("FrontendNotAllowed")["message"]
    assert story.pods() == []


@pytest.mark.parametrize("suffix", ["-builtin"])
@pytest.mark.parametrize("line", [LINE, f"#!/usr/bin/env x\n# check=skip=all\n{LINE}"], ids=["first", "below others"])
def test_where_none_is_allowed_buildkits_own_reads_every_dockerfile(story: Story, suffix: str, line: str) -> None:
    story.apply(story.inline(line + STEPS, args={"BUILDKIT_SYNTAX": OTHER}))
    assert story.succeeds()["cache"]["total"] == 1
    assert OTHER not in log(story), "nothing was asked for it"


@pytest.mark.parametrize("suffix", ["-builtin"])
@pytest.mark.parametrize("line", [f"// syntax={OTHER}\n", f'{{"syntax": "{OTHER}"}}\n'], ids=["as in C", "as in JSON"])
def test_a_line_of_another_form_is_not_followed_either(story: Story, suffix: str, line: str) -> None:
    story.apply(story.inline(line))
    assert "unknown instruction" in story.fails("DockerfileInvalid")["message"]
    assert f"docker-image://{OTHER}" not in log(story), "nothing was asked for it"


@pytest.mark.parametrize("suffix", ["-builtin"])
def test_where_none_is_allowed_the_spec_names_none(story: Story, suffix: str, images: tuple[str, str]) -> None:
    story.apply(read_by(story, images[0]))
    said = story.fails("FrontendNotAllowed")["message"]
    assert said.endswith("has BuildKit's own read all (namespaces[*-builtin].frontends.allowed: [])")
    assert story.pods() == []
