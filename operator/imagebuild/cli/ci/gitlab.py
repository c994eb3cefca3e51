"""The variables of a GitLab job (https://docs.gitlab.com/ci/variables/predefined_variables/). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from imagebuild.cli.ci.facts import Facts, Login, without_login

__all__ = ["facts"]

_RESULTS = {"merged_result": "merge", "merge_train": "train"}
"""Last part of the ref of a merge request whose pipeline builds a commit that is in no branch yet."""


def facts(environ: Mapping[str, str]) -> Facts | None:
    if not environ.get("GITLAB_CI"):
        return None
    url = environ.get("CI_REPOSITORY_URL") or f"{environ.get('CI_PROJECT_URL', '')}.git"
    branch, ref = _line_of_work(environ)
    return Facts(
        system="GitLab",
        job=("gitlab", environ.get("CI_SERVER_URL", ""), environ.get("CI_JOB_ID", "")),
        url=without_login(url),
        commit=environ.get("CI_COMMIT_SHA"),
        branch=branch,
        tag=environ.get("CI_COMMIT_TAG") or None,
        ref=ref,
        base=environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME") or environ.get("CI_DEFAULT_BRANCH") or None,
        checkout=environ.get("CI_PROJECT_DIR"),
        page=environ.get("CI_JOB_URL") or environ.get("CI_PIPELINE_URL"),
        image=environ.get("CI_REGISTRY_IMAGE") or None,
        git=_git(environ, url),
        registries=tuple(_registries(environ)),
    )


def _line_of_work(environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Branch and ref. A merge request from the same project has the cache of its branch; one from a fork may be called
    like any branch of ours, and has the cache of its own ref.
    """
    path = environ.get("CI_MERGE_REQUEST_REF_PATH")
    if not path:
        return environ.get("CI_COMMIT_BRANCH") or None, None
    result = _RESULTS.get(environ.get("CI_MERGE_REQUEST_EVENT_TYPE", ""))
    if result:
        return None, f"{path.rpartition('/')[0]}/{result}"
    if environ.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID") == environ.get("CI_PROJECT_ID"):
        return environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"), None
    return None, path


def _git(environ: Mapping[str, str], url: str) -> Login | None:
    token, host = environ.get("CI_JOB_TOKEN"), urlsplit(without_login(url)).netloc
    return Login(host=host, username="gitlab-ci-token", password=token) if token else None


def _registries(environ: Mapping[str, str]) -> list[Login]:
    names = (
        ("CI_REGISTRY", "CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD"),
        ("CI_DEPENDENCY_PROXY_SERVER", "CI_DEPENDENCY_PROXY_USER", "CI_DEPENDENCY_PROXY_PASSWORD"),
    )
    found = ([environ.get(name, "") for name in row] for row in names)
    return [Login(host=host, username=user, password=password) for host, user, password in found if host and password]
