"""Group `startup`: where the time goes before the first step of a build, and after its last one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from imagebuild.api.config import Builder, OperatorConfig
from imagebuild.contract import layout, plan
from imagebuild.core.isolation import sandbox
from localcluster.work import Failure
from testbed import registry
from testbed.bench import daemonstart
from testbed.bench.measure import Bed, Group, Row
from testbed.bench.moments import PODS, Moments
from testbed.bench.sides import built, ended_well, post
from testbed.bench.site import MODES, Site, site
from testbed.bench.spent import PARTS, last
from testbed.kubectl import Document, Kubectl
from testbed.place import Place

NAME = "startup"
OWN, RUNNER = "buildkitd by itself, until it answers", "the runner's start, until buildkitd answers"
_KINDS = {
    "python": "an empty Python, from start to end",
    "imports": "Python and what the runner loads before it starts buildkitd",
    "site": "that, without -S and -E",
    "source": "that, without byte code in the image",
    "all": "Python and all that the runner loads: the rest while buildkitd starts",
    "buildkitd": OWN,
    "runner": RUNNER,
    "buildkitd ended": "buildkitd by itself, from TERM to its end",
}
_VOLUMES = (0, 4, 8, 16)
_SECONDS = 300


def measure(bed: Bed) -> Iterator[Row]:
    times = 1 if bed.quick else 10
    with site(bed) as here:
        yield Row(
            group=NAME, name="the builder image, compressed", unit="MB", samples=(_megabytes(here.kubectl.place),)
        )
        yield from _daemon(here.within(MODES[0].lower()), here.moments, 2 if bed.quick else 100)
        yield from _volumes(here, 1 if bed.quick else 10)
        yield from _smallest(here, times)


def _megabytes(place: Place) -> float:
    """As the registry has it."""
    tagged, _, digest = place.builder_image.partition("@")
    name = f"{tagged.rpartition(':')[0]}@{digest}" if digest else tagged
    found = registry.manifest(place, name)
    assert found is not None, f"there is no {name}"
    return float(sum(layer["size"] for layer in found[1]["layers"])) / 1e6


def _daemon(kubectl: Kubectl, moments: Moments, times: int) -> Iterator[Row]:
    """In one pod, in turns: what a runner costs, and what no runner could avoid."""
    text = plan.dump(plan.Plan(dockerfile=plan.Dockerfile(inline="FROM scratch\n")))
    program = Path(daemonstart.__file__)
    data = {program.name: program.read_text(), Path(layout.PLAN_FILE).name: text}
    kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "starts"}, "data": data})
    content: Document = {"configMap": {"name": "starts"}}
    words = ["python3", f"{layout.POD_INFO_DIR}/{program.name}", str(times)]
    kubectl.apply(pod(kubectl, "starts", words, {layout.POD_INFO_DIR: content}))
    key = (PODS, kubectl.namespace, "starts")
    moments.over(key, _SECONDS)
    log = kubectl("logs", "starts")
    if not ended_well(moments.newest(key)):
        raise Failure("starting buildkitd in a pod", log, "the runner's own words are in a build pod's log")
    found = json.loads(log.splitlines()[-1])
    for kind, name in _KINDS.items():
        compared = {"beside": OWN, "reach": ("ratio ≤ 1.2",)} if kind == "runner" else {}
        yield Row(group=NAME, name=name, unit="ms", samples=tuple(found[kind]), **compared)  # type: ignore[arg-type]


def _volumes(here: Site, times: int) -> Iterator[Row]:
    """What a volume more costs a pod: from its creation to what its program says, which is not the kubelet's tick."""
    kubectl, took = here.within(MODES[0].lower()), dict[int, list[float]]()
    for number in range(times):
        for count in _VOLUMES:
            key = (PODS, kubectl.namespace, name := f"volumes-{count}-{number}")
            volumes: dict[str, Document] = {f"/volume-{each}": {"emptyDir": {}} for each in range(count)}
            post(kubectl, f"/api/v1/namespaces/{kubectl.namespace}/pods", pod(kubectl, name, ["echo", "here"], volumes))
            here.moments.over(key, _SECONDS)
            said = last(kubectl("logs", "--timestamps", name))
            took.setdefault(count, []).append(said - here.moments.seen(key))
    for count, seconds in took.items():
        name = f"a pod with {_counted(count + 1)} until its program speaks"
        yield Row(group=NAME, name=name, unit="s", samples=tuple(seconds))


def _counted(volumes: int) -> str:
    return "1 volume" if volumes == 1 else f"{volumes} volumes"


def _smallest(here: Site, times: int) -> Iterator[Row]:
    """A build of nothing, in parts: all that is not the build."""
    kubectl = here.within(MODES[0].lower())
    spec: Document = {"dockerfile": {"inline": f"FROM {here.base}\n"}, "output": {"discard": True}}
    found = [built(here, kubectl, f"smallest-{number}", spec) for number in range(times)]
    yield Row(group=NAME, name="the smallest build", unit="s", samples=tuple(each.seconds for each in found))
    for part in PARTS:
        samples = tuple(each.parts[part] for each in found)
        if any(samples):
            yield Row(group=NAME, name=f"the smallest build: {part}", unit="s", samples=samples)


def pod(kubectl: Kubectl, name: str, command: list[str], volumes: dict[str, Document]) -> Document:
    """With the rights of a build pod, and one volume to work in."""
    config = OperatorConfig(builder=Builder(image=kubectl.place.builder_image))
    box = sandbox(config, kubectl.namespace)
    mounted: dict[str, Document] = {layout.WORK_DIR: {"emptyDir": {}}, **volumes}
    named = {f"volume-{number}": each for number, each in enumerate(mounted.items())}
    container = {
        "name": "build",
        "image": config.builder.image,
        "command": command,
        "terminationMessagePath": layout.TERMINATION_LOG,
        "env": [{"name": key, "value": value} for key, value in layout.WORK_ENV.items()],
        "securityContext": {**box.container, "readOnlyRootFilesystem": False},
        "volumeMounts": [{"name": volume, "mountPath": path} for volume, (path, _) in named.items()],
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        **box.pod,
        "containers": [container],
        "volumes": [{"name": volume, **source} for volume, (_, source) in named.items()],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


GROUP = Group(
    name=NAME,
    about="before the first step and after the last: image, runner, daemon, pod, status",
    minutes=3,
    measure=measure,
)
