"""Named contexts, volumes, and what counts of them for an image that is to be known again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from imagebuild.contract.plan import Context, GitSource, IfExists, Mount, Output, Plan
from imagebuild.contract.reasons import Reason
from runner.pod import Pod
from runner.test_sources import Repository


@pytest.fixture
def repository(git_server: str, tmp_path: Path) -> Repository:
    return Repository(f"{git_server}/{tmp_path.name}.git", tmp_path / "checkout")


def directory(tmp_path: Path, **files: str) -> Mount:
    mounted = tmp_path / "mounted"
    mounted.mkdir(exist_ok=True)
    for name, text in {"Dockerfile": "FROM scratch\n", **files}.items():
        (mounted / name).write_text(text)
    return Mount(name="data", path=str(mounted))


def locals_of(pod: Pod) -> dict[str, str]:
    """What BuildKit is given as directories, and what it is told of them."""
    (call,) = pod.seen("buildctl")
    words = [word.removeprefix("--local=") for word in call["argv"] if word.startswith("--local=context")]
    told = [word for word in call["argv"] if word.startswith("context:")]
    return dict(word.split("=", 1) for word in words + told)


def test_a_claim_is_read_where_it_is_mounted(pod: Pod, tmp_path: Path) -> None:
    _, log, code = pod.run(Plan(volume=directory(tmp_path)))
    assert code == 0, log
    assert locals_of(pod) == {"context": str(tmp_path / "mounted")}


def test_a_context_is_another_directory_of_the_checkout_or_another_repository(
    pod: Pod, repository: Repository, git_server: str, tmp_path: Path
) -> None:
    (repository._directory / "shared").mkdir()
    (repository._directory / "shared" / "file").touch()
    repository.commit()
    other = Repository(f"{git_server}/other-{tmp_path.name}.git", tmp_path / "other")
    other.commit(file="of the other")
    named = (Context(name="shared", path="shared"), Context(name="other", git=GitSource(url=other.url)))
    _, log, code = pod.run(Plan(git=GitSource(url=repository.url), contexts=named))
    assert code == 0, log
    assert locals_of(pod) == {
        "context": str(pod.work / "source"),
        "context-0": str(pod.work / "source" / "shared"),
        "context-1": str(pod.work / "context-1"),
        "context:shared": "local:context-0",
        "context:other": "local:context-1",
    }
    assert (pod.work / "context-1" / "file").read_text() == "of the other"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        pytest.param("none", "contexts[shared].path none is not a directory", id="that is not there"),
        pytest.param("link", "contexts[shared].path link leads out of the source", id="that leads out"),
    ],
)
def test_a_context_that_is_no_directory_of_the_source_is_named(
    pod: Pod, repository: Repository, *, path: str, said: str
) -> None:
    repository.commit()
    (repository._directory / "link").symlink_to("/etc")
    repository.commit()
    found, log, _ = pod.run(Plan(git=GitSource(url=repository.url), contexts=(Context(name="shared", path=path),)))
    assert found.essentials.reason is Reason.FILE_NOT_FOUND, log
    assert said in found.essentials.message


def made_from(pod: Pod, plan: dict[str, Any]) -> str:
    """The annotation by which an image is known again."""
    pod.directory.joinpath("bin", "seen.jsonl").unlink(missing_ok=True)
    shutil.rmtree(pod.work)
    pod.work.mkdir()
    output = Output(images=("127.0.0.1:1/a:1",), if_exists=IfExists.REUSE, inputs="abc")
    _, log, code = pod.run(Plan(output=output, **plan))
    assert code == 0, log
    (call,) = pod.seen("buildctl")
    (word,) = (word for word in call["argv"] if "annotation.imagebuild.dev/inputs=" in word)
    return str(word).partition("inputs=")[2]


@pytest.mark.parametrize("kind", ["directory", "volume"])
def test_with_reuse_what_is_in_a_volume_counts(pod: Pod, tmp_path: Path, kind: str) -> None:
    first = made_from(pod, {kind: directory(tmp_path, file="1")})
    assert made_from(pod, {kind: directory(tmp_path, file="1")}) == first
    assert made_from(pod, {kind: directory(tmp_path, file="2")}) != first


def test_with_reuse_what_is_in_a_context_counts(pod: Pod, repository: Repository, tmp_path: Path) -> None:
    def asked() -> str:
        named = (Context(name="other", git=GitSource(url=repository.url, branch="main")),)
        return made_from(pod, {"volume": directory(tmp_path), "contexts": named})

    repository.commit()
    first = asked()
    assert asked() == first
    repository.commit(file="later")
    assert asked() != first
