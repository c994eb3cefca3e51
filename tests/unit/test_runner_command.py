"""The command line of buildctl, for what the plan asks and the pod found out."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebuild.contract.plan import BranchCache, IfExists, Output, Plan
from imagebuild.runner.cacherefs import CacheRefs
from imagebuild.runner.command import Inputs, buildctl, made_from
from imagebuild.runner.reference import pushed

COMMIT = "0123456789abcdef0123456789abcdef01234567"
INPUTS = Inputs(
    address="unix:///work/run/buildkitd.sock",
    context=Path("/work/source/api"),
    dockerfile=Path("/work/source/api"),
    filename="Dockerfile",
    trace=Path("/work/report/trace.json"),
    metadata=Path("/work/report/metadata.json"),
)
HOW = "compression=zstd,mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true"
FIXED = [
    "buildctl",
    "--addr=unix:///work/run/buildkitd.sock",
    "build",
    "--frontend=dockerfile.v0",
    "--progress=plain",
    "--trace=/work/report/trace.json",
    "--metadata-file=/work/report/metadata.json",
    "--local=context=/work/source/api",
    "--local=dockerfile=/work/source/api",
    "--opt",
    "filename=Dockerfile",
]


def test_a_build_that_keeps_nothing_has_the_fixed_part_alone() -> None:
    assert buildctl(Plan(), INPUTS, (), CacheRefs()) == FIXED


def test_everything_is_one_word_each_with_the_names_of_the_images_quoted_as_one_field() -> None:
    plan = Plan(args=("--opt", 'build-arg:A=$(X), "b"\nc'))
    cache = CacheRefs(imports=("r.io/a:buildcache-main-1",), export="r.io/a:buildcache-topic-2")
    assert buildctl(plan, INPUTS, ("r.io/a:1", "r.io/a:2"), cache) == [
        *FIXED,
        "--opt",
        'build-arg:A=$(X), "b"\nc',
        "--output",
        'type=image,"name=r.io/a:1,r.io/a:2",push=true,oci-mediatypes=true',
        "--import-cache",
        "type=registry,ref=r.io/a:buildcache-main-1",
        "--export-cache",
        f"type=registry,ref=r.io/a:buildcache-topic-2,{HOW}",
    ]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), max_size=5))
def test_attributes_of_the_exporter_keep_every_byte(values: list[str]) -> None:
    attributes = tuple(f"annotation.a{place}={value}" for place, value in enumerate(values))
    output = Output(images=("r.io/a:1",), attributes=attributes)
    word = buildctl(Plan(output=output), INPUTS, output.images, CacheRefs())[-1]
    (fields,) = csv.reader(io.StringIO(word, newline=""))
    assert fields[4:] == [*attributes]


def test_a_cache_is_packed_as_the_image_is() -> None:
    cache = BranchCache(repository="r.io/a", scope="", compression="gzip")
    refs = CacheRefs(export="r.io/a:buildcache-main-1")
    word = buildctl(Plan(cache=cache), INPUTS, (), refs)[-1]
    assert word.startswith("type=registry,ref=r.io/a:buildcache-main-1,compression=gzip,mode=max")


def test_an_image_says_what_it_was_made_from_where_the_next_build_looks_for_it() -> None:
    output = Output(images=("r.io/a:1",), if_exists=IfExists.REUSE, inputs="x")
    word = made_from(Plan(output=output), COMMIT, "x86_64")
    assert buildctl(Plan(output=output), INPUTS, ("r.io/a:1",), CacheRefs(), word)[-1] == (
        f"type=image,name=r.io/a:1,push=true,oci-mediatypes=true,annotation.imagebuild.dev/inputs={word}"
    )
    assert re.fullmatch("[0-9a-f]{64}", word)


@pytest.mark.parametrize(
    ("output", "commit"),
    [
        pytest.param(Output(if_exists=IfExists.REUSE, inputs="y"), COMMIT, id="other inputs"),
        pytest.param(Output(if_exists=IfExists.REUSE, inputs="x"), "c" * 40, id="another commit"),
        pytest.param(Output(if_exists=IfExists.REUSE, inputs="x"), "", id="no commit"),
        pytest.param(Output(if_exists=IfExists.OVERWRITE, inputs="x"), COMMIT, id="nobody looks for it"),
        pytest.param(Output(if_exists=IfExists.REUSE), COMMIT, id="no inputs given"),
    ],
)
def test_what_an_image_was_made_from_is_another_word(output: Output, commit: str) -> None:
    assert made_from(Plan(output=output), commit, "x86_64") != made_from(
        Plan(output=Output(if_exists=IfExists.REUSE, inputs="x")), COMMIT, "x86_64"
    )


@pytest.mark.parametrize(
    ("platform", "same"),
    [
        pytest.param(None, False, id="none asked for: it is the machine's"),
        pytest.param("linux/arm64", True, id="one asked for: any machine builds it"),
    ],
)
def test_an_image_of_another_architecture_is_not_made_from_the_same(platform: str | None, same: bool) -> None:
    plan = Plan(output=Output(if_exists=IfExists.REUSE, inputs="x"), platform=platform)
    assert (made_from(plan, COMMIT, "x86_64") == made_from(plan, COMMIT, "aarch64")) is same


def test_caches_from_elsewhere_are_imported_after_those_of_registries() -> None:
    cache = CacheRefs(imports=("r.io/a:1",), others=("type=s3,bucket=b",))
    assert buildctl(Plan(), INPUTS, (), cache) == [
        *FIXED,
        "--import-cache",
        "type=registry,ref=r.io/a:1",
        "--import-cache",
        "type=s3,bucket=b",
    ]


def test_what_a_build_writes_to_is_known_by_registry_and_repository() -> None:
    output = Output(images=("r.io:5000/a/b:{commit}", "r.io:5000/a/b:1", "alice/app", "app:2"))
    cache = BranchCache(repository="r.io/cache", scope="")
    assert pushed(Plan(output=output, cache=cache, cache_exports=("q.io/x:y",))) == (
        ("r.io:5000", "a/b"),
        ("docker.io", "alice/app"),
        ("docker.io", "library/app"),
        ("r.io", "cache"),
        ("q.io", "x"),
    )
