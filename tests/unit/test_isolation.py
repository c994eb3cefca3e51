"""The isolation modes: what each gives a pod, and which one a namespace has."""

from __future__ import annotations

from typing import Any

import pytest

import make
from imagebuild.api import names
from imagebuild.api.config import Isolation
from imagebuild.contract import layout
from imagebuild.core.isolation import isolation, sandbox
from imagebuild.core.seccomp import PROFILE


@pytest.mark.parametrize("mode", Isolation, ids=str)
def test_every_mode_is_an_ordinary_user_with_two_capabilities_and_a_filter(mode: Isolation) -> None:
    box = sandbox(make.make_config(isolation=mode), "team-a")
    user = box.pod["securityContext"]
    assert (user["runAsUser"], user["runAsGroup"], user["runAsNonRoot"]) == (1000, 1000, True)
    assert box.container["capabilities"] == {"drop": ["ALL"], "add": ["SETUID", "SETGID"]}
    assert box.container["readOnlyRootFilesystem"] is True
    assert box.container["seccompProfile"] == {"type": "Localhost", "localhostProfile": PROFILE}
    assert "privileged" not in box.container


@pytest.mark.parametrize("mode", Isolation, ids=str)
def test_no_mode_sets_no_new_privs_under_which_sub_ids_cannot_be_mapped(mode: Isolation) -> None:
    assert "allowPrivilegeEscalation" not in sandbox(make.make_config(isolation=mode), "team-a").container


@pytest.mark.parametrize(
    ("mode", "host_users", "proc_mount", "process_sandbox"),
    [
        (Isolation.USERNS, False, "Unmasked", True),
        (Isolation.USERNS_MASKED, False, None, False),
        (Isolation.ROOTLESS, None, None, False),
    ],
    ids=str,
)
def test_the_modes_differ_in_user_namespace_proc_and_process_sandbox(
    mode: Isolation, host_users: bool | None, proc_mount: str | None, process_sandbox: bool
) -> None:
    box = sandbox(make.make_config(isolation=mode), "team-a")
    assert box.pod.get("hostUsers") is host_users
    assert box.container.get("procMount") == proc_mount
    assert box.process_sandbox is process_sandbox


@pytest.mark.parametrize("mode", [Isolation.USERNS, Isolation.USERNS_MASKED], ids=str)
def test_a_user_namespace_comes_with_sub_ids_that_exist_in_it(mode: Isolation) -> None:
    box = sandbox(make.make_config(isolation=mode), "team-a")
    assert box.annotations == {names.ANNOTATION_SUBID: layout.SUB_IDS_IN_POD}
    assert {mount["mountPath"] for mount in box.part.mounts} == {"/etc/subuid", "/etc/subgid"}


def test_the_sub_ids_are_all_ids_of_the_pod_but_root_and_the_runner() -> None:
    ranges = [line.split(":") for line in layout.SUB_IDS_IN_POD.splitlines()]
    covered = [number for _, start, count in ranges for number in range(int(start), int(start) + int(count))]
    assert covered == [*range(1, 1000), *range(1001, 65536)]


def test_without_a_user_namespace_the_images_own_sub_ids_are_used() -> None:
    box = sandbox(make.make_config(), "team-a")
    assert (box.annotations, box.part.mounts) == ({}, ())


@pytest.mark.parametrize(
    ("config", "profile"),
    [
        pytest.param(
            {"seccompProfile": "mine.json"}, {"type": "Localhost", "localhostProfile": "mine.json"}, id="their own"
        ),
        pytest.param({"seccompUnconfined": True}, {"type": "Unconfined"}, id="none, only when they say so"),
    ],
)
def test_administrators_may_choose_the_filter(config: dict[str, Any], profile: dict[str, str]) -> None:
    assert sandbox(make.make_config(**config), "team-a").container["seccompProfile"] == profile


POLICIES = [
    {"match": "team-*", "isolation": "UsernsMasked"},
    {"match": "team-a", "isolation": "Userns"},
    {"match": "*-ci", "isolation": "Userns"},
]


@pytest.mark.parametrize(
    ("namespace", "mode"),
    [
        pytest.param("other", Isolation.ROOTLESS, id="no policy matches"),
        pytest.param("team-b", Isolation.USERNS_MASKED, id="a pattern matches"),
        pytest.param("team-a", Isolation.USERNS, id="the name itself is closer than a pattern"),
        pytest.param("shop-ci", Isolation.USERNS, id="a pattern at the end"),
        pytest.param("my-team-b", Isolation.ROOTLESS, id="a pattern matches from the beginning"),
    ],
)
def test_the_closest_policy_that_matches_a_namespace_is_in_force(namespace: str, mode: Isolation) -> None:
    assert isolation(make.make_config(namespaces=POLICIES), namespace) is mode


@pytest.mark.parametrize(
    ("mode", "config", "processes"),
    [
        pytest.param(Isolation.USERNS, {}, 8192, id="by default"),
        pytest.param(Isolation.USERNS_MASKED, {"processes": 500}, 500, id="the operator's"),
        pytest.param(Isolation.USERNS, {"processes": None}, None, id="none"),
        pytest.param(Isolation.ROOTLESS, {"processes": 500}, None, id="none where builds would be counted together"),
    ],
)
def test_processes_are_bounded_where_they_are_counted_for_each_pod(
    mode: Isolation, config: dict[str, int | None], processes: int | None
) -> None:
    assert sandbox(make.make_config(isolation=mode, pod=config), "team-a").processes == processes


@pytest.mark.parametrize("mode", Isolation, ids=str)
def test_an_apparmor_profile_is_named_where_it_is_configured_and_nowhere_else(mode: Isolation) -> None:
    named = sandbox(make.make_config(isolation=mode, apparmorProfile="ours"), "team-a").container
    assert named["appArmorProfile"] == {"type": "Localhost", "localhostProfile": "ours"}
    assert "appArmorProfile" not in sandbox(make.make_config(isolation=mode), "team-a").container
