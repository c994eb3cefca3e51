"""Where `imagebuild policy explain` finds the operator's configuration, and what it says to who may not read it."""

from __future__ import annotations

from typing import Any

import pytest

from cli.cliserver import Api
from imagebuild.cli.cluster import Cluster
from imagebuild.cli.configuration import in_cluster
from imagebuild.cli.problem import Problem

RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
HOME = "/api/v1/namespaces/imagebuild-system/configmaps/"
DEPLOYMENT = "/apis/apps/v1/namespaces/imagebuild-system/deployments/imagebuild-operator"
CONFIGURATION = {"data": {"config.yaml": "builder: {image: found}"}}
FORBIDDEN = (403, {"message": "no"})


def rules(*names: str) -> tuple[int, Any]:
    granted = [{"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"], "resourceNames": list(names)}]
    return 201, {"status": {"resourceRules": granted}}


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param({RULES: rules("imagebuild-operator-5h9"), f"{HOME}imagebuild-operator-5h9": (200, CONFIGURATION)}),
        pytest.param(
            {
                RULES: rules(),
                DEPLOYMENT: (200, {"spec": {"template": {"spec": {"volumes": [{"configMap": {"name": "x"}}]}}}}),
                f"{HOME}x": (200, CONFIGURATION),
            },
            id="by who may read the Deployment",
        ),
    ],
)
def test_the_operators_configuration_is_found_by_who_may_read_it(
    cluster: Cluster, api: Api, answers: dict[str, tuple[int, Any]]
) -> None:
    api.answers |= answers
    assert in_cluster(cluster, "imagebuild-system").builder.image == "found"
    assert api.asked[0][::3] == ("POST", {"spec": {"namespace": "imagebuild-system"}})


@pytest.mark.parametrize(
    ("answers", "said", "step"),
    [
        pytest.param(
            {RULES: rules(), DEPLOYMENT: FORBIDDEN}, "You may not read", "imagebuild-configuration", id="no right"
        ),
        pytest.param(
            {RULES: rules("imagebuild-operator-1"), f"{HOME}imagebuild-operator-1": FORBIDDEN},
            "You may not read",
            "--config FILE",
            id="a right that has just gone",
        ),
        pytest.param(
            {RULES: rules(), DEPLOYMENT: (404, {"message": "no"})},
            "There is no operator's configuration in the namespace imagebuild-system",
            "--operator-namespace",
            id="somewhere else",
        ),
    ],
)
def test_what_keeps_one_from_the_configuration_is_said(
    cluster: Cluster, api: Api, answers: dict[str, tuple[int, Any]], said: str, step: str
) -> None:
    api.answers |= answers
    with pytest.raises(Problem, match=said) as raised:
        in_cluster(cluster, "imagebuild-system")
    assert step in raised.value.next_step
