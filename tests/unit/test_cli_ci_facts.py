"""What the variables of a CI job say, and to whom the job's pod makes its builds belong."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

import pytest

import jobs
from imagebuild.cli.ci import github, gitlab, pod
from imagebuild.cli.ci.facts import Facts, plain, without_login
from imagebuild.cli.ci.job import detect
from imagebuild.cli.ci.pod import Pod


def found(environ: Mapping[str, str]) -> Facts:
    facts = gitlab.facts(environ) or github.facts(environ, jobs.GITHUB_EVENT)
    assert facts is not None
    return facts


@pytest.mark.parametrize(
    ("environ", "branch", "tag", "ref", "base"),
    [
        pytest.param(jobs.GITLAB_BRANCH, "feature/basket", None, None, "main", id="GitLab: a branch"),
        pytest.param(jobs.GITLAB_TAG, None, "v1.2.0", None, "main", id="GitLab: a tag"),
        pytest.param(
            jobs.GITLAB_MERGE_REQUEST, "feature/basket", None, None, "release/1",
            id="GitLab: a merge request has the cache of its branch and starts from its target's",
        ),
        pytest.param(
            jobs.GITLAB_FORK, None, None, "refs/merge-requests/7/head", "release/1",
            id="GitLab: a fork's main is not our main",
        ),
        pytest.param(
            jobs.GITLAB_MERGED_RESULT, None, None, "refs/merge-requests/7/merge", "release/1",
            id="GitLab: a merged result is in no branch",
        ),
        pytest.param(jobs.GITHUB_PUSH, "feature/basket", None, None, "trunk", id="GitHub: a branch"),
        pytest.param(jobs.GITHUB_TAG, None, "v1.2.0", None, "trunk", id="GitHub: a tag"),
        pytest.param(
            jobs.GITHUB_PULL_REQUEST, None, None, "refs/pull/7/merge", "release/1",
            id="GitHub: a pull request is the merge commit of its ref",
        ),
    ],
)  # fmt: skip
def test_the_line_of_work_and_its_base_are_told(
    environ: Mapping[str, str], branch: str | None, tag: str | None, ref: str | None, base: str
) -> None:
    facts = found(environ)
    assert (facts.branch, facts.tag, facts.ref, facts.base) == (branch, tag, ref, base)
    assert facts.commit == jobs.COMMIT


def test_gitlabs_url_loses_the_token_in_it() -> None:
    facts = found(jobs.GITLAB_BRANCH)
    assert facts.url == "https://gitlab.example.com/team/shop.git"
    assert jobs.TOKEN not in repr(facts)
    assert without_login("https://u:p%40x@h:8443/a.git") == "https://h:8443/a.git"


def test_githubs_token_is_not_shown() -> None:
    facts = found(jobs.GITHUB_PUSH)
    assert facts.url == "https://github.com/Team/shop.git"
    assert facts.git is not None
    assert facts.git.password == jobs.GITHUB["GITHUB_TOKEN"]
    assert jobs.GITHUB["GITHUB_TOKEN"] not in repr(facts)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"CI_JOB_ID": "51"}, id="GitLab: a job that is run again"),
        pytest.param({"CI_SERVER_URL": "https://other.example.com"}, id="GitLab: another server"),
    ],
)
def test_another_execution_in_gitlab_is_another_job(change: dict[str, str]) -> None:
    assert found({**jobs.GITLAB_BRANCH, **change}).job != found(jobs.GITLAB_BRANCH).job


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"GITHUB_RUN_ATTEMPT": "2"}, id="a run again"),
        pytest.param({"GITHUB_JOB": "test"}, id="another job"),
        pytest.param({"RUNNER_NAME": "arc-imagebuild-other"}, id="another leg of a matrix"),
    ],
)
def test_another_execution_in_github_is_another_job(change: dict[str, str]) -> None:
    assert found({**jobs.GITHUB_PUSH, **change}).job != found(jobs.GITHUB_PUSH).job
    assert found({**jobs.GITHUB_PUSH, "GITHUB_ACTION": "__run_2"}).job == found(jobs.GITHUB_PUSH).job


def test_only_github_com_is_known_to_have_ghcr_io() -> None:
    assert [login.host for login in found(jobs.GITHUB_PUSH).registries] == ["ghcr.io"]
    assert found({**jobs.GITHUB_PUSH, "GITHUB_SERVER_URL": "https://github.example.com"}).registries == ()


def test_gitlabs_dependency_proxy_is_logged_in_to() -> None:
    proxy = {
        "CI_DEPENDENCY_PROXY_SERVER": "gitlab.example.com:443",
        "CI_DEPENDENCY_PROXY_USER": "gitlab-ci-token",
        "CI_DEPENDENCY_PROXY_PASSWORD": jobs.TOKEN,
    }
    hosts = [login.host for login in found({**jobs.GITLAB_BRANCH, **proxy}).registries]
    assert hosts == ["registry.gitlab.example.com", "gitlab.example.com:443"]


def test_other_systems_give_the_job_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert plain({}) is None
    facts = detect({"IMAGEBUILD_JOB": "argo-123"})
    assert facts is not None
    assert facts.job == ("plain", "argo-123")
    assert detect({"CI": "true"}) is None


def token(claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{body}.c2lnbmF0dXJl"


BOUND = {"namespace": "ci", "pod": {"name": "runner-1", "uid": "0b5c"}, "serviceaccount": {"name": "runner"}}


@pytest.mark.parametrize(
    ("text", "who"),
    [
        pytest.param(
            token({"kubernetes.io": BOUND, "exp": 1}), Pod(namespace="ci", name="runner-1", uid="0b5c"), id="bound"
        ),
        pytest.param(token({"kubernetes.io": {"namespace": "ci"}}), None, id="bound to no pod"),
        pytest.param(token({"kubernetes.io/serviceaccount/namespace": "ci"}), None, id="of a Secret, as it was once"),
        pytest.param(token([]), None, id="no claims"),
        pytest.param("word", None, id="no token"),
        pytest.param("a.!.b", None, id="no base64"),
        pytest.param("a.w6TDtg==.b", None, id="no JSON"),
    ],
)
def test_the_pod_is_that_of_the_tokens_claims(text: str, who: Pod | None) -> None:
    assert pod.claimed(text) == who


def test_the_owner_reference_takes_no_right_on_pods() -> None:
    reference = Pod(namespace="ci", name="runner-1", uid="0b5c").reference
    assert reference == {"apiVersion": "v1", "kind": "Pod", "name": "runner-1", "uid": "0b5c"}
