"""Jobs of CI systems in pods of the cluster: the scripts of manifests/ci/ with the variables of their systems, a git
server that asks for the job's token, and service accounts that have the shipped roles and nothing else.
"""

from __future__ import annotations

import secrets
import signal
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest

import jobs
from e2e.command import Command
from e2e.conftest import Repository
from e2e.pipeline import Jobs, argo, github, gitlab, tekton
from e2e.story import WAITS, Story
from e2e.test_private_git import FILES, basic_auth, private
from testbed import registry
from testbed.gitserver import PASSWORD, USER
from testbed.kubectl import Kubectl, until

pytestmark = [pytest.mark.cluster, pytest.mark.thorough]

ALL = ("imagebuild-job", "imagebuild-job-token")
NARROW = ("imagebuild-job",)


def in_gitlab(story: Story, repository: Repository, commit: str, job: str = "50") -> dict[str, str]:
    """The recorded variables, with server, registry and token of this place."""
    token = urllib.parse.quote(PASSWORD, safe="")
    return {
        **jobs.GITLAB_BRANCH,
        "CI_REPOSITORY_URL": repository.url.replace("http://", f"http://{USER}:{token}@"),
        "CI_PROJECT_DIR": "/work",
        "CI_COMMIT_SHA": commit,
        "CI_COMMIT_BRANCH": "main",
        "CI_JOB_ID": job,
        "CI_JOB_TOKEN": PASSWORD,
        "CI_REGISTRY": story.place.private_registry,
        "CI_REGISTRY_IMAGE": story.private_image().removesuffix(":1"),
        "CI_REGISTRY_USER": story.place.user,
        "CI_REGISTRY_PASSWORD": story.place.password,
    }


def in_github(repository: Repository, commit: str) -> dict[str, str]:
    server, _, name = repository.url.removesuffix(".git").rpartition("/")
    files = {"GITHUB_OUTPUT": "/work/output", "GITHUB_STEP_SUMMARY": "/work/summary"}
    here = {"GITHUB_SERVER_URL": server, "GITHUB_REPOSITORY": name, "GITHUB_WORKSPACE": "/work", "GITHUB_SHA": commit}
    return {**jobs.GITHUB_PUSH, "GITHUB_REF": "refs/heads/main", **here, **files}


def test_a_gitlab_job_builds_with_its_token_and_its_end_takes_everything_with_it(
    story: Story, git_server: tuple[str, str], tmp_path: Path
) -> None:
    repository = private(git_server, tmp_path / "checkout")
    commit = repository.commit({f"api/{name}": text for name, text in FILES.items()})
    jobs_here = Jobs(story.kubectl, ALL)
    log = jobs_here.run("job", gitlab(directory="api"), in_gitlab(story, repository, commit), "cat image.env")

    image = f"{story.private_image().removesuffix(':1')}:{commit}"
    pushed = registry.manifest(story.place, image)
    assert pushed is not None
    (build,) = story.kubectl.items("imagebuilds")
    name = build["metadata"]["name"]
    digest = build["status"]["output"]["digest"]
    assert f"IMAGE={image}\n" in log
    assert f"IMAGE_REF={image.rpartition(':')[0]}@{digest}\n" in log
    assert build["status"]["source"] == {"commit": commit, "branch": "main"}
    assert build["spec"]["cache"]["branch"]["base"] == "main"
    assert [each["name"] for each in build["metadata"]["ownerReferences"]] == ["job"]
    assert {f"secret/{name}-git", f"secret/{name}-registry"} <= set(story.kubectl("get", "secrets", "-oname").split())
    for token in (PASSWORD, urllib.parse.quote(PASSWORD, safe=""), story.place.password):
        assert token not in log + str(build) + str(story.pods()) + story.log()

    story.kubectl("delete", "pod", "job")
    until("all of the job to be gone", lambda: not story.kubectl.items("imagebuilds"), seconds=90)
    until(
        "its Secrets to be gone", lambda: name not in story.kubectl("get", "secrets,pods", "--output=name"), seconds=90
    )


def test_a_gitlab_job_that_is_cancelled_takes_its_build_with_it_and_is_run_again(
    story: Story, git_server: tuple[str, str], tmp_path: Path
) -> None:
    repository = private(git_server, tmp_path / "checkout")
    commit = repository.commit({"Dockerfile": WAITS})
    here = Jobs(story.kubectl, ALL)
    here.start("first", gitlab(), in_gitlab(story, repository, commit))
    (build,) = until("the job's build", lambda: story.kubectl.items("imagebuilds"), seconds=120)
    first = build["metadata"]["name"]
    story.sleeps(story.reaches(first, reason="Building")["podName"])

    story.kubectl("delete", "pod", "first")
    until("the build to be gone", lambda: not story.kubectl.items("imagebuilds"), seconds=90)
    until("its pod to be gone", lambda: not story.pods(), seconds=90)

    here.start("second", gitlab(), in_gitlab(story, repository, commit, job="51"))
    (build,) = until("the second job's build", lambda: story.kubectl.items("imagebuilds"), seconds=120)
    second = build["metadata"]["name"]
    assert second != first
    story.release(story.reaches(second, phase="Running", reason="Building")["podName"])
    assert f"{second}: Built in" in here.ends("second")


def test_a_github_job_builds_in_a_namespace_whose_secrets_it_cannot_read(
    story: Story, new_namespace: Callable[[str], Kubectl], git_server: tuple[str, str], tmp_path: Path
) -> None:
    repository = private(git_server, tmp_path / "checkout")
    commit = repository.commit(FILES)
    runners = new_namespace("-runners")
    here = Jobs(runners, ())
    subject = f"--serviceaccount={runners.namespace}:imagebuild-job"
    story.kubectl("create", "rolebinding", "ci", "--clusterrole=imagebuild-build", subject)
    story.kubectl.apply(basic_auth("git-login"), registry.login_secret(story.place, "push"))
    step = github(
        tags=story.private_image(commit),
        options=f"--namespace {story.namespace} --source-secret git-login --registry-secret push",
    )
    log = here.run("runner", step, in_github(repository, commit), "cat output summary")
    (build,) = story.kubectl.items("imagebuilds")
    assert f"image-ref={story.private_image().removesuffix(':1')}@{build['status']['output']['digest']}\n" in log
    assert "Built in" in log.partition("### ")[2]
    assert "does not go with the job" in log
    assert "token" not in log
    assert "ownerReferences" not in build["metadata"]
    assert build["spec"]["ttlAfterFinished"] == "24h"
    assert len(story.kubectl("get", "secrets", "-oname").split()) == 2


def test_a_token_that_may_not_cross_stays_and_the_refusal_is_explained(
    story: Story, git_server: tuple[str, str], tmp_path: Path
) -> None:
    repository = private(git_server, tmp_path / "checkout")
    commit = repository.commit(FILES)
    here = Jobs(story.kubectl, NARROW)
    here.start("runner", github(tags=story.image(), token="ghs_unused"), in_github(repository, commit))
    log = here.ends("runner", code=2)
    assert "This job's token stays here" in log
    assert "imagebuild-job-token" in log
    assert "SourceUnauthorized" in log
    assert "ghs_unused" not in log


def test_a_token_that_is_good_no_more_is_named(story: Story, git_server: tuple[str, str], tmp_path: Path) -> None:
    repository = private(git_server, tmp_path / "checkout")
    commit = repository.commit(FILES)
    here = Jobs(story.kubectl, ALL)
    here.start("job", gitlab(), {**in_gitlab(story, repository, commit), "CI_JOB_TOKEN": "expired"})
    log = here.ends("job", code=2)
    assert "SourceUnauthorized" in log
    assert "CI_JOB_TOKEN). It expires when the job ends" in log


def test_a_job_that_is_told_to_end_and_may_cancel_cancels_its_build(story: Story, tmp_path: Path) -> None:
    (tmp_path / "waits").write_text(WAITS)
    words = ("build", "--discard", "--no-job-token", "--file", str(tmp_path / "waits"))
    process = Command(story, **jobs.GITLAB_BRANCH).start(*words)
    (build,) = until("the job's build", lambda: story.kubectl.items("imagebuilds"), seconds=60)
    name = build["metadata"]["name"]
    story.sleeps(story.reaches(name, reason="Building")["podName"])
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 4, err
    story.fails("Cancelled", name)


@pytest.mark.parametrize("system", ["argo", "tekton"])
def test_a_step_of_argo_workflows_and_of_tekton_builds_and_leaves_the_digest(
    story: Story, repository: Repository, system: str
) -> None:
    repository.commit(FILES)
    uid, image = secrets.token_hex(8), story.image()
    parameters = {"source": f"{repository.url}#main", "image": image}
    step = argo(uid, **parameters) if system == "argo" else tekton(uid, **parameters)
    left = "/tmp/digest" if system == "argo" else "/tmp/IMAGE_DIGEST"
    here = Jobs(story.kubectl, NARROW)
    # the command runs twice in one execution, as after a lost connection
    log = here.run("step", step, {}, f"(\n{step.script}\n); echo; echo left $(cat {left})")
    (build,) = story.kubectl.items("imagebuilds")
    assert f"left {build['status']['output']['digest']}" in log
    assert "going on with it" in log
    assert log.count("Created ") == 1
    assert build["status"]["run"]["number"] == 1
    assert [each["name"] for each in build["metadata"]["ownerReferences"]] == ["step"]
