"""The flags of `build`, completed by what the CI system knows. What is said on the command line wins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagebuild.cli import directory, options
from imagebuild.cli.ci import checkout
from imagebuild.cli.ci.facts import Facts
from imagebuild.cli.sources import Directory
from imagebuild.cli.terminal import Screen

__all__ = ["filled", "with_base"]

Given = Mapping[str, Any]

_REVISIONS = ("branch", "git_tag", "ref", "commit")
_SHOWN = 3


def filled(given: Given, facts: Facts, screen: Screen) -> Given:
    """SOURCE as the job's commit, unless --local, and GitLab's image of the project where none is named."""
    given = {**given, "ttl": given["ttl"] or "24h"}
    if facts.image and not (given["images"] or given["discard"] or given["spec_file"]):
        given["images"] = (f"{facts.image}:{facts.commit or 'latest'}",)
    source = options.read_source(given["source"])
    if given["local"] or not isinstance(source, Directory) or not (facts.url and facts.commit and facts.checkout):
        return given
    return _of_commit(given, Path(source.path), facts, screen)


def _of_commit(given: Given, context: Path, facts: Facts, screen: Screen) -> Given:
    root = checkout.root(context, Path(facts.checkout or ""))
    if root is None:
        return given
    found = checkout.head(root)
    if found not in (None, facts.commit):
        screen.say(f"{context} is at {found}, not at this job's commit {facts.commit}: the directory is sent.", "bold")
        return given
    own = [Path(given[flag]).resolve() for flag in ("dotenv", "digest_file") if given.get(flag)]
    if changed := [file for file in checkout.changes(context) if (root / file).resolve() not in own]:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        screen.say(f"Not as in the commit: {', '.join(changed[:_SHOWN])}{more}. --local sends the directory.", "yellow")
    path = os.path.normpath(context.resolve().relative_to(root.resolve()) / (given["path"] or ""))
    screen.say(f"{facts.system}: commit {facts.commit} of {facts.url}", "bold")
    return {**given, **_file(given, context), **_revision(given, facts), "path": None if path == "." else path}


def _revision(given: Given, facts: Facts) -> Given:
    if any(given[name] for name in _REVISIONS):
        return {"source": facts.url}
    return {
        "source": facts.url,
        "branch": facts.branch,
        "git_tag": facts.tag,
        "ref": facts.ref,
        "commit": facts.commit,
    }


def _file(given: Given, context: Path) -> Given:
    """Where the job has no files (GIT_STRATEGY: none), -f is a path in the context."""
    file, inside = given["file"], context / (given["path"] or "")
    if file in (None, "-") or not (Path(file).is_file() or (inside / file).is_file()):
        return {}
    found = directory.dockerfile(file, inside, Path.cwd())
    return {"file": found.path, "inline": found.inline}


def with_base(spec: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    """The branch whose cache a new one starts from, where the spec has a branch cache that does not say."""
    cache = spec.get("cache", {})
    off = "branch" not in cache and (cache.get("import") or cache.get("export"))
    if not facts.base or off or not spec.get("output", {}).get("images") or "git" not in spec.get("source", {}):
        return dict(spec)
    return {**spec, "cache": {**cache, "branch": {"base": facts.base, **cache.get("branch", {})}}}
