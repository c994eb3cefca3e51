"""What a CI system says about the job that runs: its environment variables as values. Pure.

gitlab.py and github.py know the variables of their systems; a system that sets none (Argo Workflows, Tekton) gives the
job a name in IMAGEBUILD_JOB, and the rest with flags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["JOB_VARIABLE", "Facts", "Login", "without_login"]

JOB_VARIABLE = "IMAGEBUILD_JOB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """User and password of the job's own, for one host. Its values are shown nowhere."""

    host: str
    username: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.host})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    system: str
    """For people."""
    job: tuple[str, ...]
    """Of this execution of the job and of no other: the same again when it is run once more would be another."""
    url: str | None = None
    """Of the repository, without credentials."""
    commit: str | None = None
    branch: str | None = None
    """One of branch, tag and ref at most."""
    tag: str | None = None
    ref: str | None = None
    """A merge or pull request's."""
    base: str | None = None
    """The branch whose cache a new branch starts from: the target of a merge request, else the default branch."""
    checkout: str | None = None
    """Where the system has put the repository, if it has."""
    page: str | None = None
    """Where people see this job."""
    traceparent: str = ""
    """The job's span, where its system traces it."""
    image: str | None = None
    """Where images of this repository go by default, without a tag."""
    git: Login | None = None
    """The job's token, as the git server takes it."""
    registries: tuple[Login, ...] = ()
    """The job's token, as the system's own registries take it."""


def without_login(url: str) -> str:
    """GitLab's CI_REPOSITORY_URL has the job's token in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def plain(environ: Mapping[str, str]) -> Facts | None:
    name = environ.get(JOB_VARIABLE)
    return Facts(system="CI", job=("plain", name)) if name else None
