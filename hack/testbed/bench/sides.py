"""The sides of a comparison: how each builds an order, and when that began and was over, by one and the same watch.

It begins when the object is there, an ImageBuild or a pod, and ends when that is over. What a person's kubectl
takes before and after is the same for all and not in it.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from localcluster.work import Failure
from testbed.bench import peers
from testbed.bench.moments import BUILDS, PODS
from testbed.bench.peers import Order, Peer
from testbed.bench.site import MODES, PEERS, Site
from testbed.bench.spent import last, spent
from testbed.kubectl import Document, Kubectl

_SECONDS = 600
BY_HAND = "hand-written pod"
T = TypeVar("T")


def in_turn(sides: Iterable[T], *turn: int) -> Iterator[T]:
    """In another order each turn, the same in each run; each finds a disk that is not busy with what the one before
    has written."""
    order = list(sides)
    random.Random(str(turn)).shuffle(order)
    for side in order:
        os.sync()
        yield side


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    seconds: float
    said: float
    """Seconds until the last line of the pod's log: the kubelet sees a container's end up to a second later, and which
    part of a second that is has nothing to do with the build."""
    parts: dict[str, float] = field(default_factory=dict)
    """Where they went, as far as it is known."""
    status: Document = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    name: str
    build: Callable[[str, Order], Took]
    """Given a name that no other object has."""


def ours(site: Site, mode: str = MODES[0], **spec: Document) -> Side:
    """In one isolation mode; `spec`: more than source and output."""
    kubectl = site.within(mode.lower())

    def build(name: str, order: Order) -> Took:
        source = {"git": {"url": order.url, "branch": order.branch}}
        output = {"images": [order.name], **spec.get("output", {})}
        return built(site, kubectl, name, {"source": source, **spec, "output": output})

    return Side(name=f"imagebuild, {mode}", build=build)


def built(site: Site, kubectl: Kubectl, name: str, spec: Document) -> Took:
    """An ImageBuild that has to succeed."""
    key = (BUILDS, kubectl.namespace, name)
    document = {"apiVersion": "imagebuild.dev/v1alpha1", "kind": "ImageBuild", "metadata": {"name": name}, "spec": spec}
    post(kubectl, f"/apis/imagebuild.dev/v1alpha1/namespaces/{kubectl.namespace}/imagebuilds", document)
    end = site.moments.over(key, _SECONDS)
    status: Document = site.moments.newest(key)["status"]
    pod = (PODS, kubectl.namespace, status["podName"])
    if status["phase"] != "Succeeded":
        raise Failure(f"building {name}", f"{status['reason']}: {status['message']}", _log(kubectl, status["podName"]))
    site.moments.over(pod, _SECONDS)  # the one watch may be behind the other
    start = site.moments.seen(key)
    log = kubectl("logs", "--timestamps", status["podName"])
    return Took(seconds=end - start, said=last(log) - start, parts=spent(site.moments, key, pod, log), status=status)


def others(site: Site) -> Iterator[Side]:
    by_hand = site.within(MODES[0].lower())
    by_hand.apply(*peers.for_pods_by_hand(site.kubectl.place.registry))
    yield _side(site, BY_HAND, by_hand, peers.by_hand)
    versions, privileged = peers.packages(), site.within(PEERS)
    yield _side(site, f"buildah {_upstream(versions['buildah'])}", privileged, peers.buildah)
    yield _side(site, f"Docker-in-Docker {_upstream(versions['docker.io'])}", privileged, peers.docker)


def ended_well(pod: Document) -> bool:
    status = pod["status"]
    ended = [each["state"].get("terminated", {}) for each in status.get("containerStatuses", [])]
    return status["phase"] != "Failed" and all(each.get("exitCode") == 0 for each in ended)


def _upstream(version: str) -> str:
    return version.partition("+")[0].partition("-")[0]


def _side(site: Site, title: str, kubectl: Kubectl, peer: Peer) -> Side:
    def build(name: str, order: Order) -> Took:
        key = (PODS, kubectl.namespace, name)
        post(kubectl, f"/api/v1/namespaces/{kubectl.namespace}/pods", peer(kubectl, name, order))
        end = site.moments.over(key, _SECONDS)
        if not ended_well(site.moments.newest(key)):
            raise Failure(f"building {name} with {title}", "the pod has failed", _log(kubectl, name))
        start = site.moments.seen(key)
        said = last(kubectl("logs", "--timestamps", "--tail=1", name))
        kubectl("delete", "pod", name)  # and what it has on the node's disk, before the next side begins
        return Took(seconds=end - start, said=said - start)

    return Side(name=title, build=build)


def post(kubectl: Kubectl, path: str, document: Document) -> None:
    kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(document))


def _log(kubectl: Kubectl, pod: str) -> str:
    return "its log ends:\n    " + "\n    ".join(kubectl("logs", "--tail=15", pod).splitlines())
