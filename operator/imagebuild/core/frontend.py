"""`spec.dockerfile.frontend` and the administrator's list, for what can be told before there is a pod.

What a Dockerfile's own `# syntax=` line names is BuildKit's to refuse (runner/frontend.py). It compares the name of the
image with the list, and then takes a named context of that name instead: so no context may have one.
"""

from __future__ import annotations

from imagebuild.api.config import OperatorConfig
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.core.context import familiar
from imagebuild.core.output import repository
from imagebuild.core.policy import policy

_HUB = "docker.io"


def unallowed_frontend(spec: ImageBuildSpec, config: OperatorConfig, namespace: str) -> str:
    """What the administrator does not allow; empty where there is nothing. `config`: as in force in the namespace."""
    allowed = config.frontends.allowed
    if allowed is None:
        return ""
    found = policy(config, namespace)
    place = f"namespaces[{found.match}].frontends.allowed" if found and found.frontends else "frontends.allowed"
    repositories = {_normalized(each) for each in allowed}
    asked = spec.dockerfile.frontend if spec.dockerfile else None
    if asked and _normalized(asked) not in repositories:
        why = f"lists the repositories in {place}" if allowed else f"has BuildKit's own read all ({place}: [])"
        return f"spec.dockerfile.frontend: {asked} is not allowed: the administrator {why}"
    for context in spec.contexts or ():
        if _normalized(familiar(context.name)) in repositories:
            return f"spec.contexts: {context.name} is no name for a context: it is a frontend's, in {place}"
    return ""


def _normalized(image: str) -> str:
    """Host and repository, as BuildKit compares them: `docker/dockerfile:1` is `docker.io/docker/dockerfile`."""
    name = repository(image.partition("@")[0])
    host, slash, rest = name.partition("/")
    if not slash or not (any(sign in host for sign in ".:") or host == "localhost" or host != host.lower()):
        host, rest = _HUB, name
    if host == f"index.{_HUB}":
        host = _HUB
    return f"{host}/{rest if host != _HUB or '/' in rest else f'library/{rest}'}"
