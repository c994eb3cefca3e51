"""Which pods stay after their build has ended."""

from __future__ import annotations

from typing import Any

import pytest

import make
from imagebuild.api.config import Retention
from imagebuild.api.status import ImageBuildStatus, Phase, Run
from imagebuild.core.admit import Key
from imagebuild.core.retention import Pod, expired, told

HOUR = 3600.0


def over(run: int = 9, attempt: int = 9, **more: Any) -> ImageBuildStatus:
    return ImageBuildStatus(phase=Phase.SUCCEEDED, run=Run(number=run, inputs_hash=""), attempt=attempt, **more)


def pod(name: str, run: int, finished: float, namespace: str = "team-a", **given: Any) -> Pod:
    build = make.make_build(name=name, namespace=namespace, uid=f"{namespace}-{name}")
    status = given.pop("status", make.built(finished=finished))
    return (namespace, name), make.make_pod(build, run=run, status=status, **given)


def gone(
    pods: list[Pod], statuses: dict[Key, ImageBuildStatus] | None = None, now: float = HOUR, **given: Any
) -> list[str]:
    """As name-run, of those to delete."""

    def build(key: Key) -> Any:
        namespace, name = key
        status = (statuses or {}).get(key, over())
        return make.make_build(name=name, namespace=namespace, uid=f"{namespace}-{name}", status=status)

    def is_told(key: Key, seen: Any) -> bool:
        return told(build(key), seen)

    return sorted(f"{key[1]}-{seen.run}" for key, seen in expired(pods, is_told, Retention(**given), make.at(now)))


MANY = [pod("a", 1, 100), pod("a", 2, 200), pod("a", 3, 300), pod("b", 1, 150)]


@pytest.mark.parametrize(
    ("limits", "now", "deleted"),
    [
        pytest.param({}, HOUR, [], id="by default logs stay for a day"),
        pytest.param({}, 25 * HOUR, ["a-1", "a-2", "a-3", "b-1"], id="and no longer"),
        pytest.param({"age": "58m"}, HOUR, ["a-1"], id="so long after they have ended"),
        pytest.param({"per_build": 1}, HOUR, ["a-1", "a-2"], id="the newest of each ImageBuild"),
        pytest.param({"per_namespace": 2}, HOUR, ["a-1", "b-1"], id="the newest of each namespace"),
        pytest.param({"per_build": 0}, HOUR, ["a-1", "a-2", "a-3", "b-1"], id="none at all"),
    ],
)
def test_the_newest_pods_stay(limits: dict[str, Any], now: float, deleted: list[str]) -> None:
    assert gone(MANY, now=now, **limits) == deleted


def test_each_namespace_has_a_share_of_its_own() -> None:
    pods = [pod("a", 1, 100), pod("b", 1, 200, namespace="team-b")]
    assert gone(pods, per_namespace=1) == []


@pytest.mark.parametrize(
    ("status", "given"),
    [
        pytest.param(over(), {"status": make.running()}, id="one that runs"),
        pytest.param(over(attempt=0, run=1), {}, id="one that the status does not know yet"),
        pytest.param(
            over(pod_uid="pod-1-1").model_copy(update={"phase": Phase.RUNNING}),
            {},
            id="one whose end is not reported yet",
        ),
    ],
)
def test_a_pod_that_still_has_something_to_tell_stays(status: ImageBuildStatus, given: dict[str, Any]) -> None:
    one = pod("a", 1, 100, uid="pod-1-1", **given)
    assert gone([one], {("team-a", "a"): status}, per_build=0) == []


def test_pods_of_an_imagebuild_that_is_gone_are_left_to_the_garbage_collector() -> None:
    key, seen = pod("a", 1, 100)
    other = make.make_build(name="a", uid="new", status=over())
    assert expired([(key, seen)], lambda _, pod: told(other, pod), Retention(per_build=0), make.at(HOUR)) == []
