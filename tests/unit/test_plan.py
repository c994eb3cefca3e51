"""The plan: one line of JSON that the runner reads back, or a sentence about why it does not fit."""

from __future__ import annotations

import pytest

from imagebuild.contract import plan
from imagebuild.contract.codec import DecodeError

FULL = plan.Plan(
    git=plan.GitSource(url="https://git.example.com/a.git", branch="main", commit="0" * 40),
    directory=plan.Mount(name="context", path="/run/y"),
    path="services/api",
    dockerfile=plan.Dockerfile(path="build/Dockerfile"),
    args=("--opt", "build-arg:A=$(B) ünïcode\n"),
    output=plan.Output(images=("registry.example.com/a:{commit}",)),
    cache=plan.BranchCache(repository="registry.example.com/a", scope="[]", base="main", export=plan.CacheExport.NEVER),
    registry_secrets=(plan.RegistrySecret(name="push", path="/run/x/0"),),
    registries=(plan.Registry(host="docker.io", mirrors=("mirror.example.com",)),),
    certificates="PEM",
    process_sandbox=True,
    processes=500,
    push_grace=5.0,
)


@pytest.mark.parametrize("value", [pytest.param(plan.Plan(), id="nothing said"), pytest.param(FULL, id="all said")])
def test_a_plan_reads_as_it_was_written(value: plan.Plan) -> None:
    assert plan.parse(plan.dump(value)) == value


def test_a_plan_is_one_line() -> None:
    assert "\n" not in plan.dump(FULL)


def test_what_is_open_takes_no_room() -> None:
    assert plan.dump(plan.Plan()) == "{}"


def test_a_plan_just_within_the_limit_is_written() -> None:
    room = plan.LIMIT - len(plan.dump(plan.Plan(args=("",))))
    assert len(plan.dump(plan.Plan(args=("x" * room,))).encode()) == plan.LIMIT


def test_a_plan_that_does_not_fit_is_refused_with_both_sizes_and_the_next_step() -> None:
    with pytest.raises(plan.PlanTooLargeError, match=r"takes 2\d\d,\d\d\d bytes .* 131,072 fit; move large values"):
        plan.dump(plan.Plan(args=("ü" * 100_000,)))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"path": 1}'])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        plan.parse(text)
