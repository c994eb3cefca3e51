"""The operator's view of the cluster: ImageBuilds and what their pods say, as new as the API server has told.

Objects only move forward: an event that comes late, or an answer to an own write that an event has overtaken, changes
nothing. That is what `resourceVersion` is compared for.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from imagebuild.api import names
from imagebuild.api.imagebuild import ImageBuild, parse
from imagebuild.api.status import Phase
from imagebuild.controller.over import Over
from imagebuild.core.admit import Candidate, Claim, Group, Key, Member
from imagebuild.core.groups import group, member
from imagebuild.core.observe import Observation, observe
from imagebuild.core.retention import is_told, told

_log = logging.getLogger(__name__)

Document = Mapping[str, Any]
T = TypeVar("T")

_REMEMBERED_DELETIONS = 10_000


class Listed:
    """A whole list, whose pages are put into the store one by one. As documents, thousands of objects would take
    many times the memory of what is kept of them."""

    def __init__(self, put: Callable[[Document], Key | None]) -> None:
        self._put = put
        self.uids: set[str] = set()
        self.version = 0
        """No page is older than that."""
        self.orphans: list[tuple[str, str, str]] = []

    def add(self, page: Document) -> set[Key]:
        """The keys of what is news."""
        version = int(page["metadata"]["resourceVersion"])
        self.version = min(self.version or version, version)
        self.uids.update(document["metadata"]["uid"] for document in page["items"])
        self.orphans += [_identity(document) for document in page["items"] if _is_orphan(document)]
        return {key for document in page["items"] if (key := self._put(document)) is not None}


class Store:
    def __init__(self) -> None:
        self._builds: dict[Key, ImageBuild | Over] = {}
        self._pods: dict[Key, dict[str, tuple[int, Observation]]] = defaultdict(dict)
        self._live: set[Key] = set()
        self._groups: dict[Group, set[Key]] = defaultdict(set)
        self._orphans: list[tuple[str, str, str]] = []
        self._deleted: OrderedDict[str, None] = OrderedDict()

    def build(self, key: Key) -> ImageBuild | None:
        found = self._builds.get(key)
        return found.build() if isinstance(found, Over) else found

    def builds(self) -> Iterator[tuple[Key, bool]]:
        """Of each ImageBuild there is, the key, and whether its run is over."""
        return ((key, isinstance(found, Over)) for key, found in self._builds.items())

    def unfinished(self) -> Iterator[ImageBuild]:
        """Those whose run is not over."""
        return (found for found in self._builds.values() if isinstance(found, ImageBuild))

    def phases(self) -> Iterator[Phase]:
        """Of each ImageBuild there is."""
        for found in self._builds.values():
            yield found.phase if isinstance(found, Over) else found.status.phase or Phase.PENDING

    def told(self, key: Key, seen: Observation) -> bool:
        """Whether the status has all that the pod had to say. None of those that are over is parsed for it."""
        found = self._builds.get(key)
        if isinstance(found, Over):
            return is_told(seen, uid=found.uid, newest_attempt=found.newest_attempt, pod_uid=None)
        return found is not None and told(found, seen)

    def pods(self, key: Key) -> tuple[Observation, ...]:
        return tuple(seen for _, seen in self._pods.get(key, {}).values())

    def all_pods(self) -> Iterator[tuple[Key, Observation]]:
        for key, pods in self._pods.items():
            for _, seen in pods.values():
                yield key, seen

    def orphans(self) -> list[tuple[str, str, str]]:
        """Namespace, name and uid of build pods that no ImageBuild owns any more, as of the last whole list: theirs was
        deleted with --cascade=orphan."""
        return self._orphans

    def group(self, wanted: Group) -> Iterable[Key]:
        return self._groups.get(wanted, ())

    def member(self, key: Key, asks: Candidate | None, *, reserved: bool) -> Member | None:
        """What a build is in its group; None for one that plays no part there."""
        found, alive = self._builds.get(key), self.alive(key)
        if isinstance(found, Over):
            if asks is None and not (reserved or alive):
                return found.member
            found = found.build()
        return member(found, asks, reserved=reserved, alive=alive) if found else None

    @property
    def live(self) -> Collection[Key]:
        """Keys with a pod that has not ended."""
        return self._live

    def alive(self, key: Key) -> bool:
        """There is a pod that has not ended."""
        return key in self._live

    def claims(self) -> Iterator[tuple[Claim, Key]]:
        """Cache volumes of pods that have not ended, and of which ImageBuild these are."""
        for key in self._live:
            for seen in self.pods(key):
                if seen.live and seen.cache_claim is not None:
                    yield (key[0], seen.cache_claim), key

    def running(self, patience_since: datetime) -> Iterator[Key]:
        """Keys with a pod that takes a slot: one that has not ended, and has not tried to start since this moment."""
        for key in self._live:
            if any(seen.takes_a_slot(patience_since) for seen in self.pods(key)):
                yield key

    def put_build(self, document: Document) -> Key | None:
        """The key if this is news."""
        meta = document["metadata"]
        key = (meta["namespace"], meta["name"])
        known = self._builds.get(key)
        if meta["uid"] in self._deleted or (known and int(known.resource_version) >= int(meta["resourceVersion"])):
            return None
        if (build := _read(parse, document)) is None:
            return None
        self._set(key, Over.of(build, document) if build.finished else build)
        return key

    def put_pod(self, document: Document) -> Key | None:
        """The key of its ImageBuild if this is news about one."""
        key = _owner(document)
        if key is None or document["metadata"]["uid"] in self._deleted:
            return None
        name, version = document["metadata"]["name"], int(document["metadata"]["resourceVersion"])
        if (known := self._pods.get(key, {}).get(name)) is not None and known[0] >= version:
            return None
        if (seen := _read(observe, document)) is None:
            return None
        self._pods[key][name] = (version, seen)
        self._count(key)
        return None if known is not None and known[1] == seen else key

    def drop_build(self, document: Document) -> Key:
        meta = document["metadata"]
        key = (meta["namespace"], meta["name"])
        self._bury(meta["uid"])
        if (known := self._builds.get(key)) is not None and known.uid == meta["uid"]:
            self._set(key, None)
        return key

    def drop_pod(self, document: Document) -> Key | None:
        """One that has ended stays until the next sweep if its build may not know yet: these are its last words."""
        key = _owner(document)
        if key is None:
            return None
        self.put_pod(document)
        name, uid = document["metadata"]["name"], document["metadata"]["uid"]
        self._bury(uid)
        build, last = self._builds.get(key), self._pods.get(key, {}).get(name)
        open_one = build if isinstance(build, ImageBuild) else None
        if open_one is None or last is None or last[1].live or _reported(open_one, last[1]):
            self._forget_pod(key, name, uid)
        return key

    def keep_builds(self, listed: Listed) -> set[Key]:
        """What is not in the whole list is gone, whether or not a deletion was ever reported: the keys of those."""
        gone = {
            key
            for key, build in self._builds.items()
            if build.uid not in listed.uids and int(build.resource_version) <= listed.version
        }
        for key in gone:
            self._set(key, None)
        return gone

    def keep_pods(self, listed: Listed) -> set[Key]:
        self._orphans = listed.orphans
        gone = {
            (key, name, seen.uid)
            for key, pods in self._pods.items()
            for name, (seen_at, seen) in pods.items()
            if seen.uid not in listed.uids and seen_at <= listed.version
        }
        for key, name, uid in gone:
            self._forget_pod(key, name, uid)
        return {key for key, _, _ in gone}

    def _set(self, key: Key, build: ImageBuild | Over | None) -> None:
        old = self._builds.pop(key, None)
        was, now = map(_group, (old, build))
        if was is not None and was != now:
            self._groups[was].discard(key)
            if not self._groups[was]:
                del self._groups[was]
        if now is not None:
            self._groups[now].add(key)
        if build is not None:
            self._builds[key] = build

    def _forget_pod(self, key: Key, name: str, uid: str) -> None:
        known = self._pods[key].get(name)
        if known is not None and known[1].uid == uid:
            del self._pods[key][name]
        self._count(key)

    def _count(self, key: Key) -> None:
        pods = self._pods[key]
        if any(seen.live for _, seen in pods.values()):
            self._live.add(key)
        else:
            self._live.discard(key)
        if not pods:
            del self._pods[key]

    def _bury(self, uid: str) -> None:
        """An answer to an own write may come after the deletion it lost against; it must not bring the object back."""
        self._deleted[uid] = None
        if len(self._deleted) > _REMEMBERED_DELETIONS:
            self._deleted.popitem(last=False)


def _group(build: ImageBuild | Over | None) -> Group | None:
    if isinstance(build, Over):
        return build.group
    return group(build) if build else None


def _reported(build: ImageBuild, seen: Observation) -> bool:
    """The status has closed the pod's attempt."""
    status = build.status
    return (seen.run, seen.attempt) <= status.newest_attempt and status.pod_uid != seen.uid


def _owner(document: Document) -> Key | None:
    """The ImageBuild that a pod was made for. Where its owner was taken off it (--cascade=orphan) its label says the
    name, if that is short enough for a label: such a pod must end before another one of that name may start."""
    meta = document["metadata"]
    labels = meta.get("labels") or {}
    if names.LABEL_RUN not in labels or names.LABEL_ATTEMPT not in labels:
        return None
    for owner in meta.get("ownerReferences") or ():
        if owner.get("controller") and owner["kind"] == names.KIND and owner["apiVersion"] == names.API_VERSION:
            return (meta["namespace"], owner["name"])
    if any(owner.get("controller") for owner in meta.get("ownerReferences") or ()):
        return None
    return (meta["namespace"], labels[names.LABEL_BUILD]) if names.LABEL_BUILD in labels else None


def _is_orphan(document: Document) -> bool:
    """Made by the operator, and left by the garbage collector because its owner was taken off it."""
    labels = document["metadata"].get("labels") or {}
    ours = all(label in labels for label in (names.LABEL_BUILD, names.LABEL_RUN, names.LABEL_ATTEMPT))
    owned = any(owner.get("controller") for owner in document["metadata"].get("ownerReferences") or ())
    return ours and not owned and "deletionTimestamp" not in document["metadata"]


def _identity(document: Document) -> tuple[str, str, str]:
    meta = document["metadata"]
    return meta["namespace"], meta["name"], meta["uid"]


def _read(how: Callable[[Document], T], document: Document) -> T | None:
    """Whoever may create pods can write anything into one: what cannot be read must not end the operator."""
    try:
        return how(document)
    except Exception:  # noqa: BLE001
        meta = document["metadata"]
        _log.exception("%s/%s cannot be read, and is left alone", meta["namespace"], meta["name"])
        return None
