"""Image references: their registry, their repository and their tag, by Docker's rules for names without a host."""

from __future__ import annotations

from imagebuild.contract.plan import Plan

__all__ = ["DOCKER_HUB", "pushed", "repository", "split", "tagged"]

DOCKER_HUB = "docker.io"


def split(image: str) -> tuple[str, str]:
    """`host[:port]/repository` as host and repository."""
    first, slash, rest = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest if first != DOCKER_HUB or "/" in rest else f"library/{rest}"
    return DOCKER_HUB, image if slash else f"library/{image}"


def repository(image: str) -> tuple[str, str]:
    """Host and repository of a reference that may have a tag."""
    return split(tagged(image)[0])


def tagged(image: str) -> tuple[str, str]:
    """A reference as `host[:port]/repository` and its tag, which may be left out."""
    head, slash, last = image.rpartition("/")
    name, _, tag = last.partition(":")
    return head + slash + name, tag or "latest"


def pushed(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Registry and repository of all that the build writes, images first."""
    cache = (plan.cache.repository,) if plan.cache else ()
    return tuple(dict.fromkeys(repository(name) for name in (*plan.output.images, *cache, *plan.cache_exports)))
