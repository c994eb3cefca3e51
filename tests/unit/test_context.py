"""`spec.contexts`: what BuildKit is told at once, and what the runner fetches first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from imagebuild.api.spec import ImageBuildSpec
from imagebuild.contract import plan
from imagebuild.core.context import contexts
from imagebuild.core.part import Part
from imagebuild.runner.cacherefs import CacheRefs
from imagebuild.runner.command import Inputs, buildctl

URL = "https://git.example.com/a.git"


def part_of(*written: dict[str, Any]) -> Part:
    return contexts(ImageBuildSpec.model_validate({"output": {"discard": True}, "contexts": written}))


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        pytest.param("base", "base", id="a word"),
        pytest.param("alpine:3", "alpine:3", id="an image with a tag"),
        pytest.param("docker.io/library/alpine:latest", "alpine", id="an image as BuildKit calls it"),
        pytest.param("library/alpine:3", "alpine:3", id="an official image"),
        pytest.param("index.docker.io/library/alpine", "alpine", id="an official image by the other name of the Hub"),
        pytest.param("docker.io/acme/app", "acme/app", id="of Docker Hub"),
        pytest.param("library/acme/app", "library/acme/app", id="what only looks like an official image"),
        pytest.param("r.io/a/b:1", "r.io/a/b:1", id="of another registry"),
    ],
)
def test_an_image_is_an_option_of_the_frontend(name: str, asked: str) -> None:
    part = part_of({"name": name, "image": "r.io/base:1"})
    assert (part.plan, part.args) == ({}, ("--opt", f"context:{asked}=docker-image://r.io/base:1"))


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        pytest.param({"path": "shared"}, {"path": "shared"}, id="a directory of the build's source"),
        pytest.param({"git": {"url": URL}}, {"git": plan.GitSource(url=URL)}, id="another repository"),
        pytest.param(
            {"git": {"url": URL}, "path": "a"}, {"git": plan.GitSource(url=URL), "path": "a"}, id="a directory of it"
        ),
        pytest.param({"http": {"url": "http://a/"}}, {"http": plan.HttpSource(url="http://a/")}, id="an archive"),
        pytest.param({"oci": {"image": "r.io/a"}}, {"oci": plan.OciSource(image="r.io/a")}, id="an artifact"),
    ],
)
def test_the_others_are_for_the_runner(written: dict[str, Any], wanted: dict[str, Any]) -> None:
    part = part_of({"name": "shared", **written})
    assert part.plan == {"contexts": (plan.Context(name="shared", **wanted),)}
    assert part.args == ()


def test_each_has_its_own_secret() -> None:
    git = {"url": URL, "secretRef": {"name": "one"}}
    part = part_of({"name": "a", "git": git}, {"name": "b", "git": {**git, "secretRef": {"name": "two"}}})
    assert [(entry["name"], entry["secret"]["secretName"]) for entry in part.volumes] == [
        ("context-0-secret", "one"),
        ("context-1-secret", "two"),
    ]
    paths = [context.git.secret.path for context in part.plan["contexts"] if context.git and context.git.secret]
    assert paths == [entry["mountPath"] for entry in part.mounts]


def test_buildkit_has_them_as_local_directories_by_their_place() -> None:
    here = Path("/")
    named = (("shared", Path("/work/source/shared")), ("alpine:3", Path("/work/context-1")))
    inputs = Inputs(address="a", context=here, dockerfile=here, filename="f", trace=here, metadata=here, contexts=named)
    words = buildctl(plan.Plan(), inputs, (), CacheRefs())
    assert words[words.index("filename=f") + 1 :] == [
        "--local=context-0=/work/source/shared",
        "--opt",
        "context:shared=local:context-0",
        "--local=context-1=/work/context-1",
        "--opt",
        "context:alpine:3=local:context-1",
    ]
