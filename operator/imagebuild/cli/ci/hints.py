"""What only the job knows of a build that was refused: whose credentials it had, and how long they are good. Pure."""

from __future__ import annotations

from imagebuild.cli.ci.facts import Facts
from imagebuild.cli.view import View
from imagebuild.contract.reasons import Reason

__all__ = ["credentials"]

_REFUSED = {Reason.SOURCE_UNAUTHORIZED, Reason.REGISTRY_UNAUTHORIZED, Reason.REGISTRY_DENIED}
_TOKENS = {
    "GitLab": "the token of this job (CI_JOB_TOKEN). It expires when the job ends or is cancelled. Other projects must "
    "allow this one: there, under Settings, CI/CD, Job token permissions.",
    "GitHub": "the token of this job (GITHUB_TOKEN). It expires when the job ends. It has the rights that the workflow "
    "gives it: permissions: {contents: read, packages: write}.",
}


def credentials(facts: Facts, build: View, *, crossed: bool) -> str:
    if not crossed or build.reason not in _REFUSED:
        return ""
    whose = _TOKENS.get(facts.system, "those of this job. They may have expired.")
    return f"The credentials of this build are {whose}"
