"""The policies of manifests/components/requester-rights look at every name of a Secret that an ImageBuild can hold.

Whether the API server understands them, and what it then does, is in tests/e2e/test_requester_rights.py.
"""

from __future__ import annotations

import re
from types import UnionType
from typing import Any, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from documents import ROOT
from generator.rights import HARMLESS, MOST, OTHERS, SERVICE_ACCOUNT, secret_paths
from imagebuild.api.model import SecretReference
from imagebuild.api.registry import RegistrySecret
from imagebuild.api.secret import SecretKeySelector
from imagebuild.api.spec import INPUTS, ImageBuildSpec

COMPONENT = ROOT / "manifests" / "components" / "requester-rights"
DOCUMENTS = list(yaml.safe_load_all((COMPONENT / "policy.yaml").read_text()))
SECRETS, _, ACCOUNTS, _ = DOCUMENTS
OF_A_SECRET = (SecretReference, SecretKeySelector, RegistrySecret)
"""Models that name one."""


def by_type(model: type[BaseModel], path: str = "") -> set[str]:
    """Where the models themselves, not the CRD that is made from them, name a Secret."""
    found = set()
    for name, field in model.model_fields.items():
        here = f"{path}{field.alias or name}"
        for kind, suffix in models(field.annotation):
            if issubclass(kind, OF_A_SECRET):
                found.add(f"{here}{suffix}.name")
            else:
                found |= by_type(kind, f"{here}{suffix}.")
    return found


def models(annotation: Any, suffix: str = "") -> list[tuple[type[BaseModel], str]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [(annotation, suffix)]
    origin = get_origin(annotation)
    inner = suffix if origin in (None, UnionType) or str(origin).startswith("typing.") else "[]"
    return [found for each in get_args(annotation) for found in models(each, inner)]


def looked_at() -> set[str]:
    """The paths in the first variable of the policy."""
    text = SECRETS["spec"]["variables"][0]["expression"]
    single = re.findall(r'object\.spec((?:\.\?\w+)+)\.orValue\(""\)', text)
    several = re.findall(
        r'object\.spec\.\?(\w+)\.orValue\(\[\]\)\.map\(each, each((?:\.\?\w+)+)\.orValue\(""\)\)', text
    )
    paths = [*single, *(f".?{field}[]{path}" for field, path in several)]
    return {path.removeprefix(".?").replace(".?", ".") for path in paths}


def test_the_policy_looks_at_every_secret_that_the_models_can_name() -> None:
    assert looked_at() == set(secret_paths()) == by_type(ImageBuildSpec)


def test_what_is_no_secret_is_named_as_what_it_is() -> None:
    assert SERVICE_ACCOUNT in OTHERS
    assert not set(OTHERS) & by_type(ImageBuildSpec)


def test_only_what_builds_nothing_is_harmless() -> None:
    assert set(HARMLESS) < set(ImageBuildSpec.model_fields) | {
        field.alias for field in ImageBuildSpec.model_fields.values()
    }
    assert not {*INPUTS, "cache", "registrySecrets", "pod"} & set(HARMLESS)


@pytest.mark.parametrize("policy", [SECRETS, ACCOUNTS], ids=["secrets", "service accounts"])
def test_the_policies_look_at_specs_and_refuse_what_they_cannot_look_at(policy: dict[str, Any]) -> None:
    spec = policy["spec"]
    assert spec["failurePolicy"] == "Fail"
    (rule,) = spec["matchConstraints"]["resourceRules"]
    assert (rule["resources"], rule["operations"]) == (["imagebuilds"], ["CREATE", "UPDATE"])
    assert all(each["message"] for each in spec["validations"])


def test_a_name_costs_two_questions_and_all_of_them_fit_into_what_a_policy_may_cost() -> None:
    """Of each expression 1,000,000, of the policy 10,000,000, of its conditions 2,500,000 (k8s.io/apiserver, apis/cel)."""
    spec, question = SECRETS["spec"], 350_000
    asked = [each["expression"].count(".check(") for each in spec["validations"]]
    assert asked == [0] + [2] * MOST
    assert max(asked) * question < 1_000_000
    assert sum(asked) * question < 9_000_000
