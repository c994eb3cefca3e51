"""`output.sourceDateEpoch: Commit`: BuildKit is told when the commit was made."""

from __future__ import annotations

import subprocess
from pathlib import Path

from imagebuild.contract.plan import Dockerfile, GitSource, Output, Plan
from imagebuild.contract.reasons import Reason
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


def test_a_source_without_commits_is_refused(pod: Pod) -> None:
    found, _, _ = pod.run(Plan(dockerfile=Dockerfile(inline="FROM scratch\n"), output=OUTPUT))
    assert found.essentials.reason is Reason.SPEC_INVALID
    assert "needs a source from git" in found.essentials.message
