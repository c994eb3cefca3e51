"""The operator's configuration: strict about keys, generous with defaults."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

import make
from imagebuild.api.config import Isolation, OperatorConfig


def test_the_builder_image_is_all_that_must_be_said() -> None:
    config = make.make_config()
    assert (config.isolation, config.retry_limit, config.timeouts.build) == (Isolation.ROOTLESS, 3, "1h")
    assert config.limits.running > config.limits.running_per_namespace
    assert not config.seccomp_unconfined


def test_a_full_file_is_read() -> None:
    config = make.make_config(
        isolation="Userns",
        namespaces=[{"match": "team-*", "isolation": "Rootless"}],
        seccompProfile="mine.json",
        registries=[{"host": "docker.io", "mirrors": ["mirror.example.com"]}],
        certificateAuthorities="PEM",
        limits={"running": 5, "runningPerNamespace": 2},
        pod={"resources": {"limits": {"memory": "1Gi"}}, "imagePullSecrets": ["pull"]},
        timeouts={"build": "10m"},
        retryLimit=0,
    )
    assert config.registries[0].mirrors == ("mirror.example.com",)
    assert config.limits.running_per_namespace == 2
    assert config.pod.image_pull_secrets == ("pull",)


@pytest.mark.parametrize(
    ("written", "path"),
    [
        pytest.param({}, ("builder",), id="no builder image"),
        pytest.param({"bilder": {}}, ("bilder",), id="a misspelt key"),
        pytest.param({"limits": {"runing": 1}}, ("limits", "runing"), id="a misspelt key further down"),
        pytest.param({"isolation": "None"}, ("isolation",), id="a mode that does not exist"),
        pytest.param({"limits": {"running": 0}}, ("limits", "running"), id="a limit under which nothing would start"),
        pytest.param({"retryLimit": 11}, ("retryLimit",), id="more attempts than make sense"),
        pytest.param({"timeouts": {"build": "soon"}}, ("timeouts", "build"), id="no time span"),
        pytest.param({"timeouts": {"queue": "9999999h"}}, ("timeouts", "queue"), id="longer than anybody waits"),
        pytest.param({"maxima": {"resources": {"cpu": "two"}}}, ("maxima", "resources", "cpu"), id="no quantity"),
        pytest.param({"archive": {"mode": "Sometimes"}}, ("archive", "mode"), id="an archive of some builds"),
        pytest.param({"archive": {"repository": "r.io/logs:1"}}, ("archive", "repository"), id="an archive with a tag"),
        pytest.param({"archive": {"repository": "logs"}}, ("archive", "repository"), id="an archive without a host"),
        pytest.param(
            {"archive": {"repository": "r.io/{name}"}}, ("archive", "repository"), id="a placeholder that there is not"
        ),
        pytest.param({"registries": [{"http": True}]}, ("registries", 0, "host"), id="a registry without a host"),
    ],
)
def test_a_bad_key_is_refused_by_its_path(written: dict[str, Any], path: tuple[str | int, ...]) -> None:
    builder = {"builder": {"image": "b"}} if written else {}
    with pytest.raises(ValidationError) as refused:
        OperatorConfig.model_validate({**builder, **written})
    assert path in [error["loc"] for error in refused.value.errors()]
