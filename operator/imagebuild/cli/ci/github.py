"""The variables of a GitHub job (https://docs.github.com/actions/reference/workflows-and-actions/variables). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from imagebuild.cli.ci.facts import Facts, Login

__all__ = ["facts"]

_REGISTRY = "ghcr.io"
_GITHUB = "github.com"
_HEADS, _TAGS = "refs/heads/", "refs/tags/"


def facts(environ: Mapping[str, str], event: Mapping[str, Any]) -> Facts | None:
    """`event`: what GITHUB_EVENT_PATH has."""
    if not environ.get("GITHUB_ACTIONS"):
        return None
    server, repository = environ.get("GITHUB_SERVER_URL", f"https://{_GITHUB}"), environ.get("GITHUB_REPOSITORY", "")
    run, ref, token = environ.get("GITHUB_RUN_ID", ""), environ.get("GITHUB_REF", ""), environ.get("GITHUB_TOKEN")
    host = urlsplit(server).netloc
    login = Login(host=host, username="x-access-token", password=token) if token else None
    return Facts(
        system="GitHub",
        job=("github", server, *_execution(environ)),
        url=f"{server}/{repository}.git",
        commit=environ.get("GITHUB_SHA"),
        branch=ref.removeprefix(_HEADS) if ref.startswith(_HEADS) else None,
        tag=ref.removeprefix(_TAGS) if ref.startswith(_TAGS) else None,
        # a fork's branch may be called like any of ours: pull requests have the cache of their own ref
        ref=ref if ref.startswith("refs/") and not ref.startswith((_HEADS, _TAGS)) else None,
        base=environ.get("GITHUB_BASE_REF") or event.get("repository", {}).get("default_branch"),
        checkout=environ.get("GITHUB_WORKSPACE"),
        page=f"{server}/{repository}/actions/runs/{run}",
        git=login,
        registries=_registries(environ, host, token),
    )


def _execution(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The legs of a matrix have one GITHUB_JOB; what tells them apart is the runner that has them."""
    names = ("GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB", "RUNNER_NAME")
    return tuple(environ.get(name, "") for name in names)


def _registries(environ: Mapping[str, str], host: str, token: str | None) -> tuple[Login, ...]:
    """The packages of github.com; a server of one's own has its registry under a name that no variable tells."""
    if not token or host != _GITHUB:
        return ()
    return (Login(host=_REGISTRY, username=environ.get("GITHUB_ACTOR") or "x-access-token", password=token),)
