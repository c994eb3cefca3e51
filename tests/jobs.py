"""Jobs of CI systems as their environment variables, as the systems set them.

GitLab: docs.gitlab.com/ci/variables/predefined_variables, with values of the form that its examples have; tokens are made
up. GitHub: docs.github.com/actions/reference/workflows-and-actions/variables, and the events' payloads.
"""

from __future__ import annotations

COMMIT = "1ecfd275763eff1d6b4844ea3168962458c9f27a"
TOKEN = "glcbt-64_Zq9yJr-uxFhT2cM1vWkE"

GITLAB = {
    "CI": "true",
    "GITLAB_CI": "true",
    "CI_SERVER_URL": "https://gitlab.example.com",
    "CI_SERVER_HOST": "gitlab.example.com",
    "CI_PROJECT_ID": "34",
    "CI_PROJECT_PATH": "team/shop",
    "CI_PROJECT_DIR": "/builds/team/shop",
    "CI_PROJECT_URL": "https://gitlab.example.com/team/shop",
    "CI_REPOSITORY_URL": f"https://gitlab-ci-token:{TOKEN}@gitlab.example.com/team/shop.git",
    "CI_DEFAULT_BRANCH": "main",
    "CI_COMMIT_SHA": COMMIT,
    "CI_COMMIT_REF_NAME": "feature/basket",
    "CI_COMMIT_REF_SLUG": "feature-basket",
    "CI_JOB_ID": "50",
    "CI_JOB_NAME": "image",
    "CI_JOB_TOKEN": TOKEN,
    "CI_JOB_URL": "https://gitlab.example.com/team/shop/-/jobs/50",
    "CI_PIPELINE_ID": "1000",
    "CI_PIPELINE_URL": "https://gitlab.example.com/team/shop/-/pipelines/1000",
    "CI_REGISTRY": "registry.gitlab.example.com",
    "CI_REGISTRY_IMAGE": "registry.gitlab.example.com/team/shop",
    "CI_REGISTRY_USER": "gitlab-ci-token",
    "CI_REGISTRY_PASSWORD": TOKEN,
}
GITLAB_BRANCH = {**GITLAB, "CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "feature/basket"}
GITLAB_TAG = {**GITLAB, "CI_PIPELINE_SOURCE": "push", "CI_COMMIT_TAG": "v1.2.0", "CI_COMMIT_REF_NAME": "v1.2.0"}
GITLAB_MERGE_REQUEST = {
    **GITLAB,
    "CI_PIPELINE_SOURCE": "merge_request_event",
    "CI_MERGE_REQUEST_IID": "7",
    "CI_MERGE_REQUEST_EVENT_TYPE": "detached",
    "CI_MERGE_REQUEST_REF_PATH": "refs/merge-requests/7/head",
    "CI_MERGE_REQUEST_PROJECT_ID": "34",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "34",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature/basket",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "release/1",
}
GITLAB_FORK = {
    **GITLAB_MERGE_REQUEST,
    "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "99",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "main",
}
GITLAB_MERGED_RESULT = {**GITLAB_MERGE_REQUEST, "CI_MERGE_REQUEST_EVENT_TYPE": "merged_result"}

GITHUB = {
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_API_URL": "https://api.github.com",
    "GITHUB_REPOSITORY": "Team/shop",
    "GITHUB_REPOSITORY_OWNER": "Team",
    "GITHUB_WORKSPACE": "/home/runner/work/shop/shop",
    "GITHUB_SHA": COMMIT,
    "GITHUB_ACTOR": "octocat",
    "GITHUB_RUN_ID": "1658821493",
    "GITHUB_RUN_NUMBER": "3",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_JOB": "image",
    "GITHUB_ACTION": "__run",
    "RUNNER_NAME": "arc-imagebuild-x7k2p-runner-abcde",
    "RUNNER_OS": "Linux",
    "RUNNER_TEMP": "/home/runner/work/_temp",
    "GITHUB_TOKEN": "ghs_16C7e42F292c6912E7710c838347Ae178B4a",
}
GITHUB_PUSH = {
    **GITHUB,
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_REF": "refs/heads/feature/basket",
    "GITHUB_REF_NAME": "feature/basket",
    "GITHUB_REF_TYPE": "branch",
}
GITHUB_TAG = {
    **GITHUB,
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_REF": "refs/tags/v1.2.0",
    "GITHUB_REF_NAME": "v1.2.0",
    "GITHUB_REF_TYPE": "tag",
}
GITHUB_PULL_REQUEST = {
    **GITHUB,
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_REF": "refs/pull/7/merge",
    "GITHUB_REF_NAME": "7/merge",
    "GITHUB_HEAD_REF": "feature/basket",
    "GITHUB_BASE_REF": "release/1",
}
GITHUB_EVENT = {"repository": {"full_name": "Team/shop", "default_branch": "trunk"}}
