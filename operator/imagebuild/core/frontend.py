"""`spec.dockerfile.frontend` and the administrator's list, for what can be told before there is a pod.

What a Dockerfile's own `# syntax=` line names is BuildKit's to refuse (runner/frontend.py). It compares the name of the
image with the list, and then takes a named context of that name instead: so no context may have one.
"""

from __future__ import annotations

from imagebuild.api.config import OperatorConfig
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.core.context import familiar
from imagebuild.core.output import normalized
from imagebuild.core.policy import policy


def unallowed_frontend(spec: ImageBuildSpec, config: OperatorConfig, namespace: str) -> str:
    """What the administrator does not allow; empty where there is nothing. `config`: as in force in the namespace."""
    allowed = config.frontends.allowed
    if allowed is None:
        return ""
    found = policy(config, namespace)
    place = f"namespaces[{found.match}].frontends.allowed" if found and found.frontends else "frontends.allowed"
    repositories = {normalized(each) for each in allowed}
    asked = spec.dockerfile.frontend if spec.dockerfile else None
    if asked and normalized(asked) not in repositories:
        why = f"lists the repositories in {place}" if allowed else f"has BuildKit's own read all ({place}: [])"
        return f"spec.dockerfile.frontend: {asked} is not allowed: the administrator {why}"
    for context in spec.contexts or ():
        if normalized(familiar(context.name)) in repositories:
            return f"spec.contexts: {context.name} is no name for a context: it is a frontend's, in {place}"
    return ""
