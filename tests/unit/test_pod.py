"""The build pod as a whole: its name, what it never has, and amounts of resources. Golden files show the rest."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

import make
from imagebuild.api import names
from imagebuild.api.status import Run
from imagebuild.contract import layout, plan
from imagebuild.core.part import Manifest
from imagebuild.core.pod import pod, pod_hash, pod_name


def manifest(
    spec: dict[str, Any] | None = None, config: dict[str, Any] | None = None, run: Run | None = None, **build: Any
) -> Manifest:
    made = make.make_build(spec or make.SPEC, **build)
    assert made.spec is not None
    return pod(made, made.spec, run or Run(number=1, inputs_hash="0123"), 1, make.make_config(**(config or {})))


def container(found: Manifest) -> Manifest:
    (only,) = found["spec"]["containers"]
    return dict(only)


# --- names


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("shop", id="short"),
        pytest.param("a.b.c", id="dots, which a host name must not have"),
        pytest.param("a" * 253, id="the longest there is"),
        pytest.param("a" * 50 + "." + "b" * 50, id="a dot where it is cut"),
    ],
)
@pytest.mark.parametrize(("run", "attempt"), [(1, 1), (12345, 11)])
def test_a_pods_name_is_a_host_name(name: str, run: int, attempt: int) -> None:
    made = pod_name(make.make_build(name=name), run, attempt)
    assert len(made) <= 63
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", made)


def test_each_attempt_of_each_run_of_each_build_has_a_name_of_its_own() -> None:
    builds = [make.make_build(name=name, uid=uid) for name in ("shop", "a" * 253) for uid in ("one", "two")]
    made = {pod_name(build, run, attempt) for build in builds for run in (1, 2, 11) for attempt in (1, 2, 11)}
    assert len(made) == 4 * 9


def test_the_same_attempt_always_has_the_same_name() -> None:
    assert pod_name(make.make_build(), 1, 2) == pod_name(make.make_build(generation=9), 1, 2)


# --- identity


def test_a_pod_says_whose_it_is_and_which_attempt_for_which_inputs() -> None:
    made = manifest(name="b" * 100)
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["name"], owner["uid"], owner["controller"]) == ("b" * 100, "build-uid", True)
    labels = made["metadata"]["labels"]
    assert labels[names.MANAGED_BY] == names.MANAGER
    assert (labels[names.LABEL_RUN], labels[names.LABEL_ATTEMPT]) == ("1", "1")
    assert all(len(value) <= 63 for value in labels.values())
    assert made["metadata"]["annotations"][names.ANNOTATION_INPUTS] == "0123"


def test_a_pod_remembers_the_rebuild_that_asked_for_it() -> None:
    made = manifest(run=Run(number=2, inputs_hash="0123", rebuild_at=make.at(5)))
    assert made["metadata"]["annotations"][names.ANNOTATION_REBUILD_AT] == "2026-01-01T12:00:05Z"
    assert names.ANNOTATION_REBUILD_AT not in manifest()["metadata"]["annotations"]


# --- security


@pytest.mark.parametrize("isolation", ["Userns", "UsernsMasked", "Rootless"])
def test_a_pod_never_has_a_token_a_host_or_privilege(isolation: str) -> None:
    made = manifest(config={"isolation": isolation})
    spec, text = made["spec"], json.dumps(made)
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert "hostPath" not in text
    assert "privileged" not in text


def test_only_two_empty_directories_can_be_written() -> None:
    mounts = container(manifest({**make.SPEC, "registrySecrets": [{"name": "push"}]}))["volumeMounts"]
    writable = [mount["mountPath"] for mount in mounts if not mount.get("readOnly")]
    assert writable == [layout.WORK_DIR, layout.TMP_DIR]


def test_nothing_of_the_users_is_a_command_line_or_environment_that_the_kubelet_would_expand() -> None:
    made = container(manifest({**make.SPEC, "args": {"X": "$(HOME) secretive"}}))
    assert tuple(made["command"]) == layout.RUNNER_COMMAND
    assert "args" not in made
    assert {entry["name"] for entry in made["env"]} == set(layout.WORK_ENV)
    assert "secretive" not in json.dumps(made)


# --- plan


def test_the_plan_travels_as_an_annotation_and_carries_spec_and_configuration() -> None:
    config = {"isolation": "Userns", "registries": [{"host": "r.io", "http": True}], "certificateAuthorities": "PEM"}
    made = manifest({**make.SPEC, "args": {"A": "1"}}, config)
    read = plan.parse(made["metadata"]["annotations"][names.ANNOTATION_PLAN])
    assert read == plan.Plan(
        git=plan.GitSource(url="https://git.example.com/shop.git", branch="main"),
        args=("--opt", "build-arg:A=1"),
        output=plan.Output(images=("registry.example.com/shop:{commit}",), inputs="0123"),
        cache=plan.BranchCache(
            repository="registry.example.com/shop",
            scope='["https://git.example.com/shop.git", null, "Dockerfile", null]',
        ),
        registries=(plan.Registry(host="r.io", http=True),),
        certificates="PEM",
        process_sandbox=True,
        processes=8192,
    )


def test_the_runner_sees_plan_and_stop_request_where_both_sides_expect_them() -> None:
    made = manifest()
    (volume,) = (entry for entry in made["spec"]["volumes"] if "downwardAPI" in entry)
    (mount,) = (entry for entry in container(made)["volumeMounts"] if entry["name"] == volume["name"])
    files = {
        f"{mount['mountPath']}/{item['path']}": item["fieldRef"]["fieldPath"] for item in volume["downwardAPI"]["items"]
    }
    assert files == {
        layout.PLAN_FILE: "metadata.annotations['imagebuild.dev/plan']",
        layout.STOP_FILE: "metadata.annotations['imagebuild.dev/stop']",
    }
    assert "subPath" not in mount, "such a mount does not follow changes"


def test_a_build_that_takes_too_much_to_describe_is_refused() -> None:
    args = {f"A{i}": "x" * 100_000 for i in range(2)}
    with pytest.raises(plan.PlanTooLargeError):
        manifest({**make.SPEC, "args": args})


# --- settings


@pytest.mark.parametrize(
    ("spec", "config", "seconds"),
    [
        pytest.param({}, {}, 3600, id="the operator's own default"),
        pytest.param({}, {"timeouts": {"build": "10m"}}, 600, id="the administrator's"),
        pytest.param({"timeouts": {"build": "90s"}}, {"timeouts": {"build": "10m"}}, 90, id="the user's"),
        pytest.param({"timeouts": {"build": "100ms"}}, {}, 1, id="at least the second that the kubelet knows"),
    ],
)
def test_the_time_a_build_may_take_is_the_pods_deadline(
    spec: dict[str, Any], config: dict[str, Any], seconds: int
) -> None:
    assert manifest({**make.SPEC, **spec}, config)["spec"]["activeDeadlineSeconds"] == seconds


DEFAULTS = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "4Gi"}}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param({}, DEFAULTS, id="nothing said: the operator's"),
        pytest.param(
            {"requests": {"cpu": "2"}},
            {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"memory": "4Gi"}},
            id="a request replaces the default of its kind",
        ),
        pytest.param(
            {"limits": {"memory": "512Mi"}},
            {"requests": {"cpu": "1", "memory": "512Mi"}, "limits": {"memory": "512Mi"}},
            id="a limit alone is the request too, as everywhere in Kubernetes",
        ),
        pytest.param(
            {"requests": {"memory": "16Gi"}},
            {"requests": {"cpu": "1", "memory": "16Gi"}},
            id="a request alone has no limit: the operator's could be lower than it",
        ),
        pytest.param(
            {"requests": {"memory": "2Gi"}, "limits": {"memory": "8Gi"}},
            {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "8Gi"}},
            id="both",
        ),
    ],
)
def test_resources_are_the_users_over_the_operators(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    made = manifest({**make.SPEC, "pod": {"resources": given}}, {"pod": {"resources": DEFAULTS}})
    assert container(made)["resources"] == wanted


def test_no_limits_at_all_are_no_empty_limits() -> None:
    made = manifest(config={"pod": {"resources": {"requests": {"cpu": "1"}}}})
    assert container(made)["resources"] == {"requests": {"cpu": "1"}}


def test_the_node_pulls_the_builder_image_with_the_administrators_secrets() -> None:
    made = manifest(config={"pod": {"imagePullSecrets": ["pull"]}})
    assert made["spec"]["imagePullSecrets"] == [{"name": "pull"}]
    assert container(made)["image"] == "registry.example.com/builder:1"
    assert "imagePullSecrets" not in manifest()["spec"]


def test_the_node_is_chosen_by_its_labels() -> None:
    labels = {"kubernetes.io/arch": "amd64"}
    assert manifest({**make.SPEC, "pod": {"nodeSelector": labels}})["spec"]["nodeSelector"] == labels
    assert "nodeSelector" not in manifest()["spec"]


# --- limits of time


@pytest.mark.parametrize(
    ("spec", "config", "seconds", "silence"),
    [
        pytest.param({}, {}, 3600, None, id="by default an hour, and no limit of silence"),
        pytest.param({}, {"build": "2h", "silence": "5m"}, 7200, 300, id="the operator's"),
        pytest.param({"build": "10m", "silence": "90s"}, {"silence": "5m"}, 600, 90, id="the user's over it"),
    ],
)
def test_a_pod_has_its_time(spec: dict[str, str], config: dict[str, str], seconds: int, silence: float | None) -> None:
    made = manifest({**make.SPEC, "timeouts": spec}, {"timeouts": config})
    assert made["spec"]["activeDeadlineSeconds"] == seconds
    assert plan.parse(made["metadata"]["annotations"][names.ANNOTATION_PLAN]).silence == silence


# --- the same again


def test_a_pods_hash_is_of_all_that_it_was_made_from() -> None:
    one, same = manifest(), manifest(generation=2)
    others = [
        manifest({**make.SPEC, "args": {"A": "1"}}),
        manifest({**make.SPEC, "pod": {"resources": {"limits": {"memory": "9Gi"}}}}),
        manifest(config={"isolation": "Userns"}),
    ]
    assert pod_hash(one) == pod_hash(same)
    assert len({pod_hash(each) for each in [one, *others]}) == 4
    assert one["metadata"]["annotations"][names.ANNOTATION_GENERATION] == "1"
