"""The branch cache: what its refs are called, which of them exist, which are read and which is written."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from imagebuild.contract.plan import BranchCache, CacheExport, CacheImport, CacheImports
from imagebuild.contract.result import CacheRef, LookUp

__all__ = ["CacheRefs", "beside", "candidates", "choose", "slug", "tag"]

_SLUG_MAX, _SHORT_MAX = 63, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRefs:
    looked_for: tuple[CacheRef, ...] = ()
    imports: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """Imports from elsewhere, as buildctl takes them."""
    export: str | None = None

    @property
    def read(self) -> bool:
        """Something is imported."""
        return bool(self.imports or self.others)

    def unread(self) -> CacheRefs:
        return replace(self, imports=(), others=())


def slug(branch: str) -> str:
    """A branch as part of a tag: `feature/A` → `feature-a`. Long ones that begin alike stay apart."""
    words = _words(branch)
    return words if words and len(words) <= _SLUG_MAX else f"{_short(words)}-{_hash(branch)}"


def tag(cache: BranchCache, branch: str) -> str:
    """Matched by ^buildcache- for clean-up rules; the hash keeps branches and builds with equal slugs apart."""
    digest = _hash(f"{cache.scope}\0{branch}")
    return f"buildcache-{_short(_words(branch))}-{digest}"


def _words(branch: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", branch.lower()).strip("-.")


def _short(words: str) -> str:
    return words[:_SHORT_MAX].rstrip("-.") or "branch"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def candidates(cache: BranchCache, current: str | None, base: str | None) -> tuple[str, ...]:
    """The tags that `choose` may ask for."""
    return tuple(tag(cache, branch) for branch in _branches(cache.imports, current, base))


def choose(cache: BranchCache, current: str | None, base: str | None, look_up: Callable[[str], LookUp]) -> CacheRefs:
    """`look_up` is asked for a tag. Only a build of the base branch writes the base's ref; one without branch none."""
    looked_for: list[CacheRef] = []

    def found(branch: str) -> bool:
        name = tag(cache, branch)
        looked_for.append(CacheRef(ref=f"{cache.repository}:{name}", found=look_up(name)))
        return looked_for[-1].found is LookUp.FOUND

    imports = [f"{cache.repository}:{tag(cache, branch)}" for branch in _wanted(cache.imports, current, base, found)]
    exported = current is not None and (
        cache.export is CacheExport.ALWAYS or (cache.export is CacheExport.BASE_ONLY and current == base)
    )
    export = f"{cache.repository}:{tag(cache, current)}" if exported and current is not None else None
    return CacheRefs(looked_for=tuple(looked_for), imports=tuple(imports), export=export)


def beside(branch: CacheRefs, given: CacheImports, found: Iterable[LookUp]) -> CacheRefs:
    """What the spec names beside the branch cache; `found` says of each of its refs whether it is there."""
    looked_for = tuple(CacheRef(ref=ref, found=answer) for ref, answer in zip(given.refs, found, strict=True))
    there = tuple(entry.ref for entry in looked_for if entry.found is LookUp.FOUND)
    return replace(
        branch,
        looked_for=(*branch.looked_for, *looked_for),
        imports=(*branch.imports, *there),
        others=(*branch.others, *given.others),
    )


def _wanted(policy: CacheImport, current: str | None, base: str | None, found: Callable[[str], bool]) -> list[str]:
    there = (branch for branch in _branches(policy, current, base) if found(branch))
    return list(there) if policy is CacheImport.BOTH else list(itertools.islice(there, 1))


def _branches(policy: CacheImport, current: str | None, base: str | None) -> list[str]:
    """In the order in which they are looked for, and imported."""
    branches = [branch for branch in dict.fromkeys((current, base)) if branch is not None]
    match policy:
        case CacheImport.NONE:
            return []
        case CacheImport.CURRENT:
            return [branch for branch in branches if branch == current]
        case CacheImport.BOTH:
            return branches[::-1]  # base first: with two refs BuildKit does better by the last one
        case CacheImport.CURRENT_ELSE_BASE:
            return branches
