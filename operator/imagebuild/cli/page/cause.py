"""Why a step was not taken from the cache, as far as that is known. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagebuild.cli.page.graph import Node
from imagebuild.cli.view import View
from imagebuild.contract.timeline import State

__all__ = ["why_not_cached"]

_CONTEXT = "[internal] load build context"
_FOUND = "Found"


def why_not_cached(build: View, node: Node, found: Sequence[Node]) -> str:
    """ "" of steps that are no lines of the Dockerfile, or came from the cache, and where nothing is known."""
    if not node.own or node.state is State.CACHED:
        return ""
    return next(_causes(build, node, [found[need] for need in node.needs]), "")


def _causes(build: View, node: Node, needs: Sequence[Node]) -> Iterator[str]:
    """The first of these that is so."""
    wanted = build.spec.get("cache") or {}
    if wanted.get("noCache"):
        yield "cache.noCache has every step run anew."
    if node.stage and node.stage in (wanted.get("noCacheStages") or ()):
        yield f"cache.noCacheStages has the stage {node.stage} run anew."
    if ran := [need for need in needs if need.own and need.state is not State.CACHED]:
        yield f"It works on the result of {_named(ran)}, which was not in the cache."
    yield from _no_cache(build)
    if any(need.span.name.startswith(_CONTEXT) for need in needs):
        yield "No cache has it: the line, what it copies from the source, or what it works on is new."
    if needs:
        yield "No cache has it: the line, or what it works on, is new."


def _named(ran: Sequence[Node]) -> str:
    first = ran[0].span.name
    return first + (f" and of {len(ran) - 1} more" if len(ran) > 1 else "")


def _no_cache(build: View) -> Iterator[str]:
    """Where there are caches that the status does not tell of, nothing is known."""
    wanted, imports = build.spec.get("cache") or {}, build.of("cache").get("imports") or ()
    others = wanted.get("import") or build.of("effective").get("cacheVolume")
    if imports and not others and not any(each.get("result") == _FOUND for each in imports):
        looked = ", ".join(f"{each.get('ref')}: {each.get('result')}" for each in imports)
        yield f"There was no cache to read ({looked})."
