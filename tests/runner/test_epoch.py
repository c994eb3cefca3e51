"""`output.sourceDateEpoch: Commit`: BuildKit is told when the commit was made."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.status import Run
from imagebuild.contract.plan import BranchCache, Dockerfile, GitSource, Output, Plan
from imagebuild.contract.reasons import Reason
from imagebuild.core.output import output
from imagebuild.runner.epoch import cache
from imagebuild.runner.source import Source
from runner.pod import Pod

OUTPUT = Output(images=("127.0.0.1:1/a:1",), commit_time=True)


def test_the_time_of_the_commit_is_an_argument(pod: Pod, git_server: str, git_repository: Path) -> None:
    words = ["git", "show", "-s", "--format=%ct", "HEAD"]
    made = subprocess.run(words, cwd=git_repository, check=True, capture_output=True, text=True).stdout.strip()
    source = GitSource(url=f"{git_server}/{git_repository.name}", branch="main")
    found, log, _ = pod.run(Plan(git=source, args=("--opt", "build-arg:A=1"), output=OUTPUT))
    assert found.essentials.reason is Reason.BUILT, log
    (call,) = pod.seen("buildctl")
    asked = [word for word in call["argv"] if word.startswith("build-arg:")]
    assert asked == ["build-arg:A=1", f"build-arg:SOURCE_DATE_EPOCH={made}"]


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        pytest.param(None, None, True, id="no time"),
        pytest.param("0", "0", True, id="the same time"),
        pytest.param(None, "0", False, id="a time and none"),
        pytest.param("0", "1", False, id="two times"),
        pytest.param("7", "Commit", True, id="the time of a commit, by its number"),
    ],
)
def test_each_time_has_a_cache_of_its_own(one: str | None, other: str | None, shared: bool) -> None:
    """Layers of another time would not become the same image."""

    def found(written: str | None) -> BranchCache | None:
        spec = ImageBuildSpec.model_validate({"output": {"images": ["r.io/a:1"], "sourceDateEpoch": written}})
        wanted = output(spec, Run(number=1, inputs_hash="0")).plan["output"]
        plan = Plan(output=wanted, cache=BranchCache(repository="r.io/a", scope="s"))
        return cache(plan, Source(directory=Path("/"), commit_time="7"))

    assert (found(one) == found(other)) is shared


def test_a_source_without_commits_is_refused(pod: Pod) -> None:
    found, _, _ = pod.run(Plan(dockerfile=Dockerfile(inline="FROM scratch\n"), output=OUTPUT))
    assert found.essentials.reason is Reason.SPEC_INVALID
    assert "needs a source from git" in found.essentials.message
