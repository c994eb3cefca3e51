"""An operator for some namespaces asks for nothing outside of them, and is disturbed by nobody there.

That Roles are all it needs is in tests/disruptive/test_namespaced.py, on a cluster.
"""

from __future__ import annotations

import pytest

from controller.objects import BUILDS, PODS
from controller.stage import OTHER, QUICK, Stage
from imagebuild.controller.__main__ import parser


async def test_it_builds_in_its_namespaces_with_rights_in_these_alone(stage: Stage) -> None:
    stage.api.rooms = ("team-a", "team-b")
    stage.apply(namespace="team-b")  # it is there already when the operator comes
    await stage.limited("team-a", "team-b")
    stage.apply()
    await stage.succeeds()
    pod = (await stage.pod(namespace="team-b"))["metadata"]["name"]
    stage.kubelet.start(pod, "team-b")
    stage.kubelet.end(pod, namespace="team-b")
    await stage.reaches(namespace="team-b", phase="Succeeded")
    assert stage.api.refused == []
    assert {request.namespace for request in stage.api.requests} == {"team-a", "team-b"}


async def test_what_is_elsewhere_is_left_alone(stage: Stage) -> None:
    stage.apply(namespace="team-c")
    await stage.limited("team-a")
    stage.apply("later", namespace="team-c")
    stage.apply()
    await stage.succeeds()
    assert [key for key in stage.objects.kept[PODS] if key[0] == "team-c"] == []
    assert all("status" not in stage.objects.get(BUILDS, ("team-c", name)) for name in ("shop", "later"))


async def test_it_begins_when_it_may_read_all_of_its_namespaces(stage: Stage) -> None:
    stage.api.rooms = ("team-a",)
    stage.apply()
    operator = stage.starting(QUICK, None, ("team-a", "team-b"))
    await stage.api.until("team-b to be refused", lambda: stage.api.refused)
    await operator.says("readyz", "has not read the cluster yet")
    assert {request.namespace for request, _ in stage.api.refused} == {"team-b"}
    assert stage.pods() == []
    stage.api.rooms = ("team-a", "team-b")
    await operator.says("readyz", "200 ok")
    stage.api.refused.clear()
    await stage.succeeds()


async def test_two_operators_for_different_namespaces_do_not_disturb_each_other(stage: Stage) -> None:
    await stage.limited("team-a")
    await stage.limited("team-b")
    stage.apply()
    stage.apply(namespace="team-b")
    pod = (await stage.pod(namespace="team-b"))["metadata"]["name"]
    await stage.succeeds()
    stage.apply(spec=OTHER)
    await stage.succeeds(2)
    stage.kubelet.start(pod, "team-b")
    stage.kubelet.end(pod, namespace="team-b")
    await stage.reaches(namespace="team-b", phase="Succeeded")
    assert (len(stage.pods()), len(stage.pods(namespace="team-b"))) == (2, 1)


@pytest.mark.parametrize("name", ["team-*", "Team", "", "-a", "a" * 64, "a.b"])
def test_what_is_no_name_is_refused_at_the_start(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args([f"--namespace={name}"])
    assert "is not the name of a namespace" in capsys.readouterr().err


def test_without_the_flag_it_works_in_all_namespaces() -> None:
    assert parser().parse_args([]).namespaces == []
    assert parser().parse_args(["--namespace=team-a", "--namespace=team-b"]).namespaces == ["team-a", "team-b"]
