"""What the groups of hack/bench that build make of what they see: sides that are alike, and where the time went."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from imagebuild.contract import timeline
from imagebuild.contract.timeline import Step, Timeline
from localcluster.work import Failure
from testbed.bench import apps, peers
from testbed.bench.builds import Figures, rows
from testbed.bench.moments import BUILDS, PODS, Moments
from testbed.bench.peers import Order
from testbed.bench.sides import BY_HAND
from testbed.bench.spent import PARTS, spent
from testbed.kubectl import Kubectl
from testbed.place import Place
from unit.test_runner_command import HOW

PLACE = Place(
    kubeconfig="/k",
    kubectl="kubectl",
    registry="r.test:5001",
    private_registry="p.test:5002",
    registry_ca="/ca",
    user="u",
    password_file="/p",
    mirror="",
    builder_image="r.test:5001/builder:1",
    operator_image="o",
    cli_image="c",
    wheels_image="",
)
ORDER = Order(url="http://git/app.git", branch="topic", image="r.test:5001/bench/app")
ENDED = {"state": {"terminated": {"exitCode": 0}}}
BUILD, POD = (BUILDS, "ns", "app"), (PODS, "ns", "app-1-1")


def event(name: str, moment: float, **document: object) -> tuple[float, str]:
    content = {"metadata": {"namespace": "ns", "name": name, "resourceVersion": f"{moment}"}, **document}
    return moment, json.dumps({"type": "MODIFIED", "object": content})


def seen(events: dict[str, list[tuple[float, str]]]) -> Moments:
    moments = Moments()
    for kind, each in events.items():
        times = iter([moment for moment, _ in each])
        moments.read(kind, [line for _, line in each], clock=lambda times=times: next(times))  # type: ignore[misc]
    return moments


def test_a_pod_by_hand_gives_buildctl_what_the_runner_gives_it() -> None:
    program, *words = peers.arguments(ORDER)
    assert program.endswith("/buildctl-daemonless.sh")
    assert words == [
        "build",
        "--frontend=dockerfile.v0",
        "--progress=plain",
        "--local=context=/source/app",
        "--local=dockerfile=/source/app",
        "--opt",
        "filename=Dockerfile",
        "--output",
        "type=image,name=r.test:5001/bench/app:topic,push=true,oci-mediatypes=true",
        "--import-cache",
        "type=registry,ref=r.test:5001/bench/app:cache-main",
        "--import-cache",
        "type=registry,ref=r.test:5001/bench/app:cache-topic",
        "--export-cache",
        f"type=registry,ref=r.test:5001/bench/app:cache-topic,{HOW}",
    ]


def test_a_pod_by_hand_has_no_more_rights_than_a_build_pod_of_ours() -> None:
    spec = peers.by_hand(Kubectl(PLACE, "ns"), "app", ORDER)["spec"]
    (container,) = spec["containers"]
    assert container["image"] == PLACE.builder_image
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["SETUID", "SETGID"]}
    assert "privileged" not in json.dumps(spec)
    assert set(container["resources"]["requests"]) == {"cpu", "memory", "ephemeral-storage"}


def test_the_time_of_a_build_is_told_in_parts_that_leave_nothing_out() -> None:
    steps = (
        Step(name="[2/2] RUN make", start=0, seconds=1),
        Step(name="pushing the image", start=1, seconds=0.25),
        Step(name="exporting cache to registry", start=1.25, seconds=0.5),
    )
    log = [timeline.PREFIX + timeline.dump(Timeline(since=13.0, steps=steps)), "imagebuild: total 3.0 s"]
    lines = "\n".join(f"1970-01-01T00:00:15.5{'0' * 8}Z {line}" for line in log)
    timings = {"fetch": 0.25, "daemon": 0.5, "solve": 2.25, "total": 3.0}
    moments = seen(
        {
            PODS: [
                event("app-1-1", 11, spec={}),
                event("app-1-1", 11.5, spec={"nodeName": "n"}),
                event("app-1-1", 16, spec={"nodeName": "n"}, status={"phase": "Running", "containerStatuses": [ENDED]}),
                event("app-1-1", 18, spec={"nodeName": "n"}, status={"phase": "Succeeded"}),
            ],
            BUILDS: [event("app", 10), event("app", 16.25, status={"phase": "Succeeded", "timings": timings})],
        }
    )
    found = spent(moments, BUILD, POD, lines)
    assert found == {
        "queue": 1,
        "schedule": 0.5,
        "container start": 1,
        "fetch and daemon": 0.5,
        "fetch": 0.25,
        "daemon": 0.5,
        "steps and export of the image": 1.5,
        "push": 0.25,
        "cache export": 0.5,
        "end of the runner": 0.25,
        "kubelet": 0.5,
        "status": 0.25,
    }
    assert tuple(found) == PARTS
    assert sum(seconds for part, seconds in found.items() if part not in ("fetch", "daemon")) == 6.25


def test_a_watch_that_breaks_is_no_build_that_takes_long() -> None:
    moments = Moments()
    moments.read(PODS, ["not JSON"])
    with pytest.raises(Failure, match="JSONDecodeError"):
        moments.over(POD, seconds=60)


def test_each_build_after_the_first_changes_what_its_name_says() -> None:
    app = apps.life("busybox")
    changed = {change.name: [*change.files] for change in app.changes}
    assert changed["no change"] == []
    assert all(set(change.files) <= set(app.files) for change in app.changes)
    contents = [{**app.files, **change.files} for change in app.changes if change.files]
    assert all(before != after for before, after in pairwise(contents))


def test_our_own_log_has_a_number_to_reach_and_every_other_side_is_beside_the_pod_by_hand() -> None:
    figures = Figures()
    for side, seconds in (("imagebuild, Rootless", 3.0), (BY_HAND, 4.0), ("buildah 1", 5.0)):
        figures.seconds["first build", side].append(seconds)
        figures.said["first build", side].append(seconds - 1)
    ours, our_log, by_hand, its_log, buildah = rows(figures, "imagebuild, Rootless")
    assert (ours.beside, ours.reach) == (by_hand.name, ())
    assert (by_hand.beside, by_hand.reach) == ("", ())
    assert (our_log.beside, our_log.samples, its_log.samples) == (its_log.name, (2.0,), (3.0,))
    assert (our_log.reach, its_log.reach) == (("ratio ≤ 1",), ())
    assert (buildah.beside, buildah.reach) == (by_hand.name, ())


def test_a_side_that_has_failed_says_why_and_how_far_it_came() -> None:
    figures = Figures(left_out={"buildah 1": "no such mount"})
    figures.seconds["first build", BY_HAND].append(4.0)
    figures.said["first build", BY_HAND].append(3.0)
    figures.seconds["first build", "buildah 1"].append(5.0)
    *_, said = rows(figures, "imagebuild, Rootless")
    assert (said.name, said.samples, said.note) == ("buildah 1: builds until one failed", (1,), "no such mount")


@pytest.mark.parametrize(("last", "version"), [("ADDED", "7"), ("BOOKMARK", "7"), ("ERROR", None)])
def test_a_watch_that_has_ended_goes_on_from_the_last_event_unless_that_is_an_error(
    last: str, version: str | None
) -> None:
    moments = Moments()
    assert moments.version(PODS, "3") == "3"
    meta = {"namespace": "ns", "name": "app-1-1", "resourceVersion": "7"}
    moments.read(PODS, [json.dumps({"type": last, "object": {"metadata": meta}})])
    assert moments.version(PODS, "3") == version
