"""What may read a Dockerfile: the administrator's list, and how BuildKit is held to it whatever a build says."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import make
from imagebuild.api.config import OperatorConfig
from imagebuild.api.names import ANNOTATION_PLAN
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.status import Phase, Run
from imagebuild.contract import plan
from imagebuild.contract.plan import Dockerfile, Plan
from imagebuild.contract.reasons import Reason
from imagebuild.core.frontend import unallowed_frontend
from imagebuild.core.pod import parts_of, pod
from imagebuild.core.policy import within
from imagebuild.runner.cacherefs import CacheRefs
from imagebuild.runner.command import buildctl
from imagebuild.runner.daemon import configuration
from unit.test_runner_command import INPUTS
from unit.world import World

LISTED = {"allowed": ["docker/dockerfile", "r.io:5000/front"]}
BUILTIN: dict[str, Any] = {"allowed": []}


def spec(**fields: Any) -> ImageBuildSpec:
    return ImageBuildSpec.model_validate({"output": {"discard": True}, **fields})


def config(namespace: str = "team-a", **fields: Any) -> OperatorConfig:
    return within(make.make_config(**fields), namespace)


def told(image: str, **fields: Any) -> str:
    return unallowed_frontend(spec(dockerfile={"frontend": image}), config(**fields), "team-a")


@pytest.mark.parametrize(
    "image",
    [
        "docker/dockerfile",
        "docker/dockerfile:1",
        "docker.io/docker/dockerfile:1.7",
        "index.docker.io/docker/dockerfile:1",
        "docker/dockerfile:1@sha256:" + "0" * 64,
        "r.io:5000/front:1",
    ],
)
def test_an_image_of_a_repository_in_the_list_is_allowed(image: str) -> None:
    assert told(image, frontends=LISTED) == ""
    assert told(image) == "", "without a list any is"


@pytest.mark.parametrize(
    "image", ["docker/dockerfile-upstream:1", "dockerfile:1", "r.io/docker/dockerfile:1", "r.io/front:1", "front:1"]
)
def test_an_image_of_another_repository_is_refused_with_the_setting(image: str) -> None:
    refused = f"spec.dockerfile.frontend: {image} is not allowed: the administrator"
    assert told(image, frontends=LISTED) == f"{refused} lists the repositories in frontends.allowed"
    assert told(image, frontends=BUILTIN) == f"{refused} has BuildKit's own read all (frontends.allowed: [])"


def test_names_without_a_registry_are_docker_hubs() -> None:
    assert told("docker.io/library/front:1", frontends={"allowed": ["front"]}) == ""
    assert told("Front/a:1", frontends={"allowed": ["docker.io/Front/a"]}) != "", "capitals are a host for BuildKit"


def test_a_namespace_has_a_list_of_its_own() -> None:
    policy = {"match": "team-*", "frontends": BUILTIN}
    assert told("docker/dockerfile:1", frontends=LISTED, namespaces=[policy]).endswith(
        "(namespaces[team-*].frontends.allowed: [])"
    )
    assert told("docker/dockerfile:1", frontends=LISTED, namespaces=[{"match": "team-*"}]) == ""
    assert told("r.io/a:1", frontends=LISTED, namespaces=[{"match": "team-*"}]).endswith(" in frontends.allowed")


@pytest.mark.parametrize(
    "name",
    [
        "docker/dockerfile:1",
        "docker.io/docker/dockerfile",
        "index.docker.io/docker/dockerfile:1",
        "r.io:5000/front:1",
    ],
)
@pytest.mark.parametrize("content", [{"image": "r.io/evil:1"}, {"path": "a"}], ids=["an image", "a directory"])
def test_no_context_takes_the_place_of_a_frontend_in_the_list(name: str, content: dict[str, str]) -> None:
    """BuildKit holds the name against its list, and then takes the context of that name."""
    asked = spec(contexts=[{"name": name, **content}])
    assert unallowed_frontend(asked, config(frontends=LISTED), "team-a") == (
        f"spec.contexts: {name} is no name for a context: it is a frontend's, in frontends.allowed"
    )
    assert unallowed_frontend(asked, config(), "team-a") == "", "where any image may be a frontend, so may this"


def test_other_contexts_are_as_good_as_ever() -> None:
    asked = spec(contexts=[{"name": "shared", "path": "a"}, {"name": "alpine:3", "image": "r.io/alpine:3"}])
    assert unallowed_frontend(asked, config(frontends=LISTED), "team-a") == ""


def test_what_is_not_allowed_ends_the_run_before_it_has_a_pod() -> None:
    written = {**make.SPEC, "dockerfile": {"frontend": "r.io/front:1"}}
    world = World(written, frontends=LISTED)
    status = world.settle()
    assert (status.phase, status.reason) == (Phase.FAILED, Reason.FRONTEND_NOT_ALLOWED)
    assert "frontends.allowed" in (status.message or "")
    assert world.created == []


# --- how BuildKit is told


def options(asked: Plan) -> list[str]:
    """What buildctl is told by --frontend and --opt."""
    words = buildctl(asked, INPUTS, (), CacheRefs())
    given = [word for before, word in itertools.pairwise(words) if before == "--opt" and word != "filename=Dockerfile"]
    return [*(word for word in words if word.startswith("--frontend=")), *given]


def test_without_a_word_buildkits_own_reads_the_dockerfile_and_follows_its_line() -> None:
    assert options(Plan()) == ["--frontend=dockerfile.v0"]
    assert options(Plan(frontends=("docker/dockerfile",))) == ["--frontend=dockerfile.v0"]


def test_an_image_reads_it_whatever_the_line_says() -> None:
    image = "docker/dockerfile:1"
    chosen = ["--frontend=gateway.v0", f"source={image}", f"cmdline={image}"]
    assert options(Plan(dockerfile=Dockerfile(frontend=image))) == chosen


def test_where_none_is_allowed_no_line_is_followed_and_nothing_could_run_one() -> None:
    assert options(Plan(frontends=())) == ["--frontend=dockerfile.v0", "cmdline="]
    assert configuration([], ()) == '[frontend."gateway.v0"]\n  enabled = false\n'


@pytest.mark.parametrize("allowed", [None, (), ("docker/dockerfile",)])
def test_the_pod_is_told_what_is_in_force_in_its_namespace(allowed: tuple[str, ...] | None) -> None:
    build = make.make_build(make.SPEC)
    assert build.spec is not None
    made = pod(build, build.spec, Run(number=1, inputs_hash="0"), 1, config(frontends={"allowed": allowed}))
    assert plan.parse(made["metadata"]["annotations"][ANNOTATION_PLAN]).frontends == allowed


def test_those_that_are_allowed_become_the_daemons_configuration() -> None:
    listed = '[frontend."gateway.v0"]\n  allowedRepositories = ["docker/dockerfile", "r.io/front"]\n'
    assert configuration([], ("docker/dockerfile", "r.io/front")) == listed
    assert "gateway" not in configuration([], None)


def test_nothing_that_a_build_says_becomes_an_option_that_chooses_a_frontend() -> None:
    odd = {"BUILDKIT_SYNTAX": "r.io/evil:1", "cmdline": "x", "source": "r.io/evil:1"}
    written = {
        "args": odd,
        "dockerfile": {"target": "cmdline"},
        "contexts": [{"name": "cmdline", "image": "r.io/a:1"}, {"name": "source", "image": "r.io/a:1"}],
        "output": {"images": ["r.io/a:1"], "labels": odd, "provenance": "Max"},
        "platforms": ["linux/amd64"],
    }
    build = make.make_build(written)
    assert build.spec is not None
    parts = parts_of(build, build.spec, Run(number=1, inputs_hash="0"), 1)
    given = options(Plan(**parts.plan, args=parts.args, frontends=()))
    keys = [word.partition("=")[0] for word in given]
    assert [word for word in given if word.partition("=")[0] in {"cmdline", "source"}] == ["cmdline="]
    assert {"build-arg:BUILDKIT_SYNTAX", "build-arg:cmdline", "label:cmdline", "context:cmdline"} <= set(keys)
    assert "--frontend=dockerfile.v0" in given
