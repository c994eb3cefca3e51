"""One ImageBuild, from what is to what should be next: gather, decide (core/decide.py), apply, and decide again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import assert_never

from imagebuild.api import names
from imagebuild.api.config import OperatorConfig
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.status import ImageBuildStatus
from imagebuild.contract.reasons import Fault, Reason
from imagebuild.controller.claims import ClaimKeeper
from imagebuild.controller.cluster import ApiError, Cluster, ClusterError
from imagebuild.controller.pace import Pace
from imagebuild.controller.queue import WorkQueue
from imagebuild.controller.slots import Slots, now
from imagebuild.controller.store import Store
from imagebuild.core import decision as steps
from imagebuild.core.admit import Key
from imagebuild.core.decide import decide, refused
from imagebuild.core.observe import Observation, State

_MOST_STEPS = 8
"""More decisions than any way through decide.py has."""
_STOP_GRACE_SECONDS = 30
"""What a pod that was asked to stop is given until the kubelet ends it."""
_NOT_FOUND, _CONFLICT, _INVALID, _BROKEN = 404, 409, 422, 500
_PATIENCE = 5
"""Failures in a row, each after a longer pause than the one before."""
_NO_RIGHT = "cannot create resource"
"""In a 403 that is not about the pod: the operator lacks a permission. No build fails for that."""


class Reconciler:
    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        queue: WorkQueue,
        slots: Slots,
        config: Callable[[str], OperatorConfig],
        *,
        claims: ClaimKeeper,
        pace: Pace,
        written: Callable[[ImageBuild, ImageBuildStatus], None],
        clock: Callable[[], datetime] = now,
    ) -> None:
        """`config`: as it is in force in a namespace. `written` is told of each status that the API server has taken:
        the ImageBuild as it was, and the status."""
        self._cluster, self._store, self._queue, self._slots = cluster, store, queue, slots
        self._config, self._pace, self._written, self._clock = config, pace, written, clock
        self._claims = claims

    async def reconcile(self, key: Key) -> bool:
        """Whether it got further than to ask for a slot, which a build whose pod was refused does between two tries."""
        gone = ""
        for _ in range(_MOST_STEPS):
            build = self._store.build(key)
            if build is None:
                self._slots.release(key)
                self._queue.plan(key, None)
                return True
            context = self._context(key, gone)
            decision = decide(build, context)
            if isinstance(decision, steps.Confirm):
                gone = await self._look(key, decision.name)
            elif not await self._apply(build, decision, context):
                return not isinstance(decision, steps.Queue)
        raise RuntimeError(f"{_MOST_STEPS} decisions came to no end")

    def _context(self, key: Key, gone: str) -> steps.Context:
        return steps.Context(
            pods=self._store.pods(key),
            config=self._config(key[0]),
            now=self._clock(),
            verdict=self._slots.verdict(key),
            gone=gone,
            first_delay=timedelta(seconds=self._pace.attempt),
        )

    async def _apply(self, build: ImageBuild, decision: steps.Decision, context: steps.Context) -> bool:
        """Whether there may be more to do at once."""
        key = (build.namespace, build.name)
        if not isinstance(decision, steps.Queue | steps.Create):
            self._slots.release(key)
        match decision:
            case steps.Nothing():
                return False
            case steps.Report():
                self._queue.plan(key, decision.wake_at)
                return await self._write(build, decision.status)
            case steps.Queue():
                self._queue.plan(key, decision.wake_at)
                self._slots.ask(decision.candidate)
                return context.verdict is not None and await self._write(build, decision.status)
            case steps.Create():
                return await self._create(build, decision, context)
            case steps.Stop():
                return await self._stop(key, decision.pod, decision.reason)
            case steps.Delete():
                return await self._delete(build)
            case steps.Confirm():
                raise AssertionError("handled by the caller")
            case _:
                assert_never(decision)

    async def _delete(self, build: ImageBuild) -> bool:
        try:
            await self._cluster.delete_build(build.namespace, build.name, build.uid, build.resource_version)
        except ApiError as error:
            if error.code == _CONFLICT:
                return await self._read_again(build)
            if error.code != _NOT_FOUND:
                raise
        return False  # the event follows

    async def _write(self, build: ImageBuild, status: ImageBuildStatus) -> bool:
        if status == build.status:
            return False
        identity = {
            "namespace": build.namespace,
            "name": build.name,
            "uid": build.uid,
            "resourceVersion": build.resource_version,
        }
        try:
            written = await self._cluster.put_status(
                identity, status.model_dump(mode="json", by_alias=True, exclude_none=True)
            )
        except ApiError as error:
            if error.code == _NOT_FOUND:
                return False  # deleted meanwhile; the event follows
            if error.code == _CONFLICT:
                return await self._read_again(build)
            raise
        self._store.put_build(written)
        self._written(build, status)
        # no event follows that is news, and there may be more to do: a pod to remove, another run, others of its group
        self._queue.add((build.namespace, build.name), later=not status.over)
        return False

    async def _read_again(self, build: ImageBuild) -> bool:
        try:
            self._store.put_build(await self._cluster.build(build.namespace, build.name))
        except ApiError as error:
            if error.code == _NOT_FOUND:
                return False
            raise
        return True

    async def _create(self, build: ImageBuild, decision: steps.Create, context: steps.Context) -> bool:
        key = (build.namespace, build.name)
        try:
            met = await self._claims.ensure(decision.claim, context.now) if decision.claim is not None else None
        except ClusterError as error:
            self._slots.release(key)  # there is no pod, whatever has become of the claim
            if not (isinstance(error, ApiError) and error.code == _BROKEN):
                raise
            return await self._refused(build, decision, error, context)
        if met is not None:
            self._slots.release(key)
            waits = met.reason.row.fault is Fault.WAITING
            wake_at = context.now + timedelta(seconds=self._pace.quota) if waits else None
            told = refused(build, decision, met.reason, met.message, context, wake_at=wake_at)
            return await self._apply(build, told, context)
        try:
            self._store.put_pod(await self._cluster.create_pod(decision.manifest))
        except ApiError as error:
            taken = error.code == _CONFLICT and error.reason == "AlreadyExists"
            adopted = taken and await self._adopt(build, decision.manifest["metadata"]["name"])
            self._slots.release(key)
            return adopted or await self._refused(build, decision, error, context)
        # not where no answer came: the pod may be there, and keeps its slot until that is known
        self._slots.release(key)
        self._queue.add(key, later=True)  # the status can wait, and says more then
        return False

    async def _adopt(self, build: ImageBuild, name: str) -> bool:
        """A pod has the name already. Is it ours, from before a crash, it is seen now, and decided anew what to do with
        it: the inputs may have changed since it was made."""
        found = await self._cluster.pod(build.namespace, name)
        owners = {owner["uid"] for owner in found["metadata"].get("ownerReferences") or ()}
        if build.uid not in owners:
            return False
        self._store.put_pod(found)
        return any(seen.name == name for seen in self._store.pods((build.namespace, build.name)))

    async def _refused(
        self, build: ImageBuild, decision: steps.Create, error: ApiError, context: steps.Context
    ) -> bool:
        name, wake_at = decision.manifest["metadata"]["name"], None
        match error.code:
            case 409 if error.reason == "AlreadyExists":  # another one is of a quota that many write to, and passes
                reason, message = Reason.NAME_TAKEN, f"the pod {name} belongs to somebody else"
            case 403 if "exceeded quota" in error.message:
                reason, message = Reason.QUOTA_EXCEEDED, error.message
                wake_at = context.now + timedelta(seconds=self._pace.quota)
            case 403 if error.passes:
                reason, message = Reason.CLUSTER_UNAVAILABLE, error.message
                wake_at = context.now + timedelta(seconds=self._pace.quota)
            case 400 | 403 | 422 if _NO_RIGHT not in error.message:  # 400: a webhook that gives no code
                reason, message = Reason.POD_REJECTED, error.message
            case 404:
                return False  # the namespace is gone, and the ImageBuild with it
            case 500 if self._queue.failures((build.namespace, build.name)) >= _PATIENCE:
                # a webhook that does not answer, as a rule: worth a word once it is not over in a moment
                reason, message = Reason.CLUSTER_UNAVAILABLE, error.message
                wake_at = context.now + timedelta(seconds=self._pace.quota)
            case _:
                raise error
        report = refused(build, decision, reason, message, context, wake_at=wake_at)
        return await self._apply(build, report, context)

    async def _stop(self, key: Key, pod: Observation, reason: Reason) -> bool:
        """A running pod is asked to stop, so that its result and log stay; one that has not started is deleted."""
        try:
            since = pod.taken_at or pod.started_at
            if pod.state is State.RUNNING and since is not None:
                await self._ask_to_stop(key[0], pod, since, reason)
                self._queue.add(key, later=True)  # to say so: the event of the request is no news any more
            else:
                await self._cluster.delete_pod(key[0], pod.name, pod.uid)
        except ApiError as error:
            if error.code not in (_NOT_FOUND, _CONFLICT):
                raise
        return False  # the pod's events follow

    async def _ask_to_stop(self, namespace: str, pod: Observation, since: datetime, reason: Reason) -> None:
        ask = {"metadata": {"annotations": {names.ANNOTATION_STOP: reason.value}}}
        running = (self._clock() - since).total_seconds()
        force = {"spec": {"activeDeadlineSeconds": round(running) + _STOP_GRACE_SECONDS}}
        try:
            patched = await self._cluster.patch_pod(namespace, pod.name, pod.uid, {**ask, **force})
        except ApiError as error:
            if error.code != _INVALID:
                raise
            # a deadline can only be lowered, and this pod's is nearer than that
            patched = await self._cluster.patch_pod(namespace, pod.name, pod.uid, ask)
        self._store.put_pod(patched)

    async def _look(self, key: Key, name: str) -> str:
        """The name, if the API server says that there is no such pod, or none of ours any more."""
        try:
            self._store.put_pod(await self._cluster.pod(key[0], name))
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise
        return "" if any(seen.name == name for seen in self._store.pods(key)) else name
