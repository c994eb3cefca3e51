"""What an API server keeps of ImageBuilds, pods, events and leases, and how it changes: versions, generations, owners, a history."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controller.schema import pruned
from imagebuild.api import names
from imagebuild.api.crd import UNSEEN, crd
from imagebuild.api.status import timestamp

Document = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name."""

BUILDS, PODS, EVENTS, LEASES = names.PLURAL, "pods", "events", "leases"
CLAIMS = "persistentvolumeclaims"
KINDS = {
    BUILDS: (names.API_VERSION, names.KIND),
    PODS: ("v1", "Pod"),
    EVENTS: ("v1", "Event"),
    LEASES: ("coordination.k8s.io/v1", "Lease"),
    CLAIMS: ("v1", "PersistentVolumeClaim"),
}
_SERVED = ("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp")
_STATUS = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]


class RefusedError(Exception):
    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message


@dataclass(frozen=True, slots=True)
class Change:
    version: int
    plural: str
    old: Document | None
    new: Document | None

    def event(self, selector: Mapping[str, str]) -> tuple[str, Document] | None:
        """As a watch with this selector sees it: what stops to match is DELETED for it."""
        was, now = selects(selector, self.old), selects(selector, self.new)
        if not (was or now):
            return None
        kind = "MODIFIED" if was and now else "ADDED" if now else "DELETED"
        told = (self.old if kind == "DELETED" else self.new) or {}
        return kind, {**told, "metadata": {**told["metadata"], "resourceVersion": str(self.version)}}


class Objects:
    def __init__(self) -> None:
        self.version = 1000
        self.oldest = 0
        """Changes up to this version are forgotten: who asks for them is told 410."""
        self.kept: dict[str, dict[Key, Document]] = {plural: {} for plural in KINDS}
        self.changes: list[Change] = []
        """All that ever happened."""
        self.history: list[Change] = []
        """What watches may be told of it."""
        self.listeners: list[Callable[[Change], None]] = []
        self.silent_deletions = False
        """Deletions happen and no watch is told."""
        self.collects_garbage = True
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._withheld: dict[str, list[Change]] = {}
        self._uids = itertools.count(1)

    def get(self, plural: str, key: Key) -> Document:
        try:
            return self.kept[plural][key]
        except KeyError:
            raise RefusedError(404, "NotFound", f'{plural} "{key[1]}" not found') from None

    def list(self, plural: str, selector: Mapping[str, str]) -> list[Document]:
        return [document for _, document in sorted(self.kept[plural].items()) if selects(selector, document)]

    def create(self, plural: str, document: Document) -> Document:
        meta = {name: value for name, value in document["metadata"].items() if name not in _SERVED}
        key = (meta["namespace"], meta["name"])
        if key in self.kept[plural]:
            raise RefusedError(409, "AlreadyExists", f'{plural} "{key[1]}" already exists')
        api_version, kind = KINDS[plural]
        served = {"uid": f"{kind.lower()}-{next(self._uids)}", "creationTimestamp": timestamp(self.clock())}
        body = {name: value for name, value in document.items() if name not in ("metadata", "status")}
        statuses: dict[str, Document] = {PODS: {"phase": "Pending"}, BUILDS: UNSEEN}
        first = statuses.get(plural)
        created = {"apiVersion": api_version, "kind": kind, **body, **({"status": dict(first)} if first else {})}
        stored = self._store(plural, None, {**created, "metadata": {**meta, **served, "generation": 1}})
        self._collect_garbage()
        return stored

    def replace(self, plural: str, key: Key, document: Document) -> Document:
        """All of it but what the server serves itself; the generation counts changes of the spec."""
        old = self.get(plural, key)
        meta = {name: value for name, value in document["metadata"].items() if name not in _SERVED}
        served = {name: old["metadata"][name] for name in _SERVED if name in old["metadata"]}
        served["generation"] += document.get("spec") != old.get("spec")
        return self._store(plural, old, {**document, "metadata": {**meta, **served}})

    def replace_status(self, plural: str, key: Key, document: Document) -> Document:
        """The status subresource: the status and nothing else, refused where the CRD does not allow it."""
        old = self.get(plural, key)
        try:
            status = pruned(_STATUS, document.get("status") or {})
        except ValueError as error:
            raise RefusedError(422, "Invalid", f"{names.KIND} {key[1]} is invalid: {error}") from error
        return self._store(plural, old, {**old, "status": status})

    def delete(self, plural: str, key: Key) -> Document:
        """A pod that a kubelet has goes when the kubelet is done with it."""
        old = self.get(plural, key)
        kubelet_has_it = "nodeName" in old.get("spec", {}) and old["status"]["phase"] in ("Pending", "Running")
        if plural == PODS and kubelet_has_it:
            return self.mark_deleted(plural, key)
        return self.remove(plural, key)

    def mark_deleted(self, plural: str, key: Key) -> Document:
        old = self.get(plural, key)
        return self._store(
            plural, old, {**old, "metadata": {**old["metadata"], "deletionTimestamp": timestamp(datetime.now(UTC))}}
        )

    def remove(self, plural: str, key: Key) -> Document:
        old = self.get(plural, key)
        del self.kept[plural][key]
        self.version += 1
        self.changes.append(Change(self.version, plural, old, None))
        if not self.silent_deletions:
            self._tell(self.changes[-1])
        self._collect_garbage()
        return old

    def withhold(self, plural: str) -> None:
        """Changes happen and watches are told only later."""
        self._withheld[plural] = []

    def release(self, plural: str) -> None:
        for change in self._withheld.pop(plural):
            self._tell(change)

    @staticmethod
    def guard(document: Document, uid: str | None, version: str | None) -> None:
        meta = document["metadata"]
        for word, wanted, found in (("UID", uid, meta["uid"]), ("ResourceVersion", version, meta["resourceVersion"])):
            if wanted not in (None, "", found):
                told = f"Precondition failed: {word} in precondition: {wanted}, {word} in object meta: {found}"
                raise RefusedError(409, "Conflict", f"Operation cannot be fulfilled on {meta['name']}: {told}")

    def _store(self, plural: str, old: Document | None, new: Document) -> Document:
        if old == new:
            return new
        self.version += 1
        new = {**new, "metadata": {**new["metadata"], "resourceVersion": str(self.version)}}
        self.kept[plural][new["metadata"]["namespace"], new["metadata"]["name"]] = new
        self.changes.append(Change(self.version, plural, old, new))
        self._tell(self.changes[-1])
        return new

    def _tell(self, change: Change) -> None:
        if change.plural in self._withheld:
            self._withheld[change.plural].append(change)
            return
        self.history.append(change)
        for listener in list(self.listeners):
            listener(change)

    def _collect_garbage(self) -> None:
        if not self.collects_garbage:
            return
        owners = {build["metadata"]["uid"] for build in self.kept[BUILDS].values()}
        for key, pod in list(self.kept[PODS].items()):
            owned_by = {owner["uid"] for owner in pod["metadata"].get("ownerReferences") or ()}
            if owned_by and not owned_by & owners and "deletionTimestamp" not in pod["metadata"]:
                self.delete(PODS, key)


def selects(selector: Mapping[str, str], document: Document | None) -> bool:
    labels = (document or {}).get("metadata", {}).get("labels") or {}
    return document is not None and all(labels.get(name) == value for name, value in selector.items())
