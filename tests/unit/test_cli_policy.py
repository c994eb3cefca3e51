"""`imagebuild policy explain`: each setting in force in a namespace with its origin, and what would become of a build."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from imagebuild.api.config import OperatorConfig
from imagebuild.cli.__main__ import run
from imagebuild.cli.configuration import load, named_by
from imagebuild.cli.exits import Exit
from imagebuild.cli.policy.settings import Explained, explain, values
from imagebuild.cli.policy.trial import trial
from imagebuild.cli.problem import Problem
from imagebuild.core.policy import within

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BUILDER = {"builder": {"image": "registry.example.com/builder:1"}}
OUR_POLICY = "namespaces[team-*]."
WRITTEN: dict[str, Any] = {
    **BUILDER,
    "isolation": "UsernsMasked",
    "limits": {"running": 100},
    "proxy": {"http": "http://all.example.com:3128", "noProxy": ["example.com"]},
    "timeouts": {"silence": "10m", "queue": "12h"},
    "maxima": {"resources": {"memory": "16Gi"}},
    "pod": {"allow": {"labels": ["all"], "annotations": ["a"]}},
    "namespaces": [
        {"match": "*", "isolation": "Userns", "allow": {"serviceAccounts": ["b"]}},
        {
            "match": "team-*",
            "isolation": "UsernsMasked",
            "allow": {"labels": ["team=*"]},
            "frontends": {"allowed": []},
            "defaults": {"resources": {"limits": {"memory": "8Gi"}}, "timeouts": {"build": "3h"}},
            "maxima": {"timeouts": {"build": "2h", "queue": "1h"}, "resources": {"cpu": "8"}},
            "cacheVolumes": {"allowed": True},
            "proxy": {"https": "http://p.example.com:3128"},
        },
    ],
}
SPEC: dict[str, Any] = {
    "dockerfile": {"inline": "FROM scratch"},
    "output": {"images": ["registry.example.com/a:1"]},
    "registrySecrets": [{"name": "push"}],
    "secrets": [{"id": "a", "secretKeyRef": {"name": "npm", "key": "token"}}],
}


def explained(namespace: str = "team-a", **more: Any) -> Explained:
    return explain(OperatorConfig.model_validate({**WRITTEN, **more}), namespace)


def setting(key: str, namespace: str = "team-a") -> tuple[Any, tuple[str, ...]]:
    (found,) = (each for each in explained(namespace).settings if each.key == key)
    return found.value, found.origins


@pytest.mark.parametrize(
    ("key", "value", "origins"),
    [
        pytest.param("isolation", "UsernsMasked", [f"{OUR_POLICY}isolation"], id="the same as for all, by the policy"),
        pytest.param("frontends.allowed", [], [f"{OUR_POLICY}frontends.allowed"], id="by the policy, under its name"),
        pytest.param("pod.allow.labels", ["team=*"], [f"{OUR_POLICY}allow.labels"], id="by the policy, instead"),
        pytest.param(
            "pod.allow.annotations", ["a"], ["pod.allow.annotations"], id="for all, where the policy is silent"
        ),
        pytest.param("pod.allow.serviceAccounts", None, ["default"], id="not by a policy that is not in force"),
        pytest.param(
            "pod.resources.limits.memory",
            "8Gi",
            [f"{OUR_POLICY}defaults.resources.limits.memory"],
            id="a default of it",
        ),
        pytest.param("pod.resources.requests.cpu", "250m", ["default"], id="of a map of which the policy has others"),
        pytest.param(
            "timeouts.build",
            "2h",
            [f"{OUR_POLICY}defaults.timeouts.build", f"{OUR_POLICY}maxima.timeouts.build"],
            id="a default, lowered by a maximum",
        ),
        pytest.param(
            "timeouts.queue", "1h", [f"{OUR_POLICY}maxima.timeouts.queue"], id="for all, lowered by the policy"
        ),
        pytest.param("timeouts.silence", "10m", ["timeouts.silence"], id="for all"),
        pytest.param("maxima.timeouts.silence", None, ["default"], id="not by one that has the same last words"),
        pytest.param("maxima.resources.memory", "16Gi", ["maxima.resources.memory"], id="for all, beside the policy's"),
        pytest.param("maxima.resources.cpu", "8", [f"{OUR_POLICY}maxima.resources.cpu"], id="beside those for all"),
        pytest.param("cacheVolumes.allowed", True, [f"{OUR_POLICY}cacheVolumes.allowed"], id="a key of a key"),
        pytest.param("proxy.https", "http://p.example.com:3128", [f"{OUR_POLICY}proxy.https"], id="a whole key"),
        pytest.param("proxy.noProxy", [], [f"{OUR_POLICY}proxy"], id="with all that a policy replaces"),
        pytest.param("limits.running", 100, ["limits.running"], id="written, and as the default"),
        pytest.param("limits.queued", 20_000, ["default"], id="not written"),
        pytest.param("builder.image", "registry.example.com/builder:1", ["builder.image"], id="what must be written"),
    ],
)
def test_each_setting_says_which_key_it_comes_from(key: str, value: Any, origins: list[str]) -> None:
    assert setting(key) == (value, tuple(origins))


@pytest.mark.parametrize("namespace", ["team-a", "shop"])
def test_all_settings_are_there_as_the_operator_has_them(namespace: str) -> None:
    operators = within(OperatorConfig.model_validate(WRITTEN), namespace)
    assert {each.key: each.value for each in explained(namespace).settings} == {
        ".".join(path): value for path, value in values(operators)
    }


def test_the_policy_in_force_is_named_and_those_that_match_beside_it() -> None:
    found = explained()
    assert (found.match, found.others) == ("team-*", ("*",))
    assert (explained("shop").match, explained("shop").others) == ("*", ())
    assert explained(namespaces=[]).match is None
    assert {origin for each in explained(namespaces=[]).settings for origin in each.origins if "[" in origin} == set()


def test_every_key_that_a_policy_can_have_is_explained_by_itself() -> None:
    """Also those that are not there yet: no key is known to the code by its name."""
    (ours,) = (each for each in WRITTEN["namespaces"] if each["match"] == "team-*")
    origins = {origin for each in explained().settings for origin in each.origins}
    assert {
        key for key in ours if key != "match" and not any(f"{OUR_POLICY}{key}" in each for each in origins)
    } == set()


@pytest.mark.parametrize(
    ("more", "refused", "reason", "message"),
    [
        pytest.param({}, False, "Starting", "", id="built"),
        pytest.param({"pod": {"labels": {"a": "b"}}}, True, "NotAllowed", f"in {OUR_POLICY}allow.labels", id="a label"),
        pytest.param({"timeouts": {"build": "9h"}}, True, "NotAllowed", "more than the 2h", id="a maximum"),
        pytest.param(
            {"dockerfile": {"inline": "FROM a", "frontend": "x/y:1"}},
            True,
            "FrontendNotAllowed",
            "x/y",
            id="a frontend",
        ),
        pytest.param({"retryLimit": "many"}, True, "SpecInvalid", "retryLimit", id="what is no spec"),
        pytest.param({"bogus": 1}, True, "OperatorTooOld", "spec.bogus", id="a field of another version"),
        pytest.param({"suspend": True}, False, "Suspended", "", id="suspended"),
    ],
)
def test_a_build_is_tried_as_the_operator_would(more: dict[str, Any], refused: bool, reason: str, message: str) -> None:
    tried = trial({"metadata": {}, "spec": {**SPEC, **more}}, "team-a", OperatorConfig.model_validate(WRITTEN), NOW)
    assert (tried.refused, tried.status.reason) == (refused, reason)
    assert message in (tried.status.message or "")
    assert (tried.pod is not None) == (reason == "Starting")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration; beside it, as build.yaml, an ImageBuild."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(WRITTEN))
    document = {"metadata": {"name": "shop", "namespace": "team-a", "deletionTimestamp": "now"}, "spec": SPEC}
    (tmp_path / "build.yaml").write_text(yaml.safe_dump(document))
    return tmp_path / "config.yaml"


def typed(file: Path, *words: str) -> int:
    return run(["imagebuild", "policy", "explain", "--config", str(file), *words])


def printed_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_person_reads_a_line_for_each_setting(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(file, "-n", "team-a") == Exit.OK
    lines = printed_lines(capsys)
    assert lines[0] == "team-a: the policy namespaces[team-*] is in force, and not *, which match, too."
    assert f"isolation UsernsMasked {OUR_POLICY}isolation" in lines
    assert "timeouts.slot 2m default" in lines
    assert "pod.allow.priorityClasses none default" in lines  # as the reference says of no value


def test_of_a_build_the_verdict_comes_first_and_defaults_are_left_out(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(file, "-f", str(file.with_name("build.yaml"))) == Exit.OK
    lines = printed_lines(capsys)
    assert lines[0] == "shop: would be built. Its pod would have:"
    assert 'secrets ["npm", "push"]' in lines
    assert "trust Trusted" in lines
    assert any(line.startswith("resources ") and '"memory": "8Gi"' in line for line in lines)
    assert f"isolation UsernsMasked {OUR_POLICY}isolation" in lines
    assert "timeouts.slot 2m default" not in lines
    assert lines[-1].endswith("defaults, which are shown without -f.")


def test_a_build_that_would_be_refused_says_why_and_what_to_do_and_exits_as_such(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = {**SPEC, "pod": {"serviceAccountName": "x"}}
    file.with_name("build.yaml").write_text(yaml.safe_dump(spec))
    assert typed(file, "-n", "team-b", "-f", str(file.with_name("build.yaml"))) == Exit.CONFIGURATION
    printed = capsys.readouterr().out
    assert "build: would be refused, NotAllowed." in printed
    assert "spec.pod.serviceAccountName: x is not allowed" in printed
    assert "ask the administrator" in printed


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_program_reads_all_of_it(file: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(file, "-f", str(file.with_name("build.yaml")), "-o", form) == Exit.OK
    text = capsys.readouterr().out
    document = json.loads(text) if form == "json" else yaml.safe_load(text)
    assert (document["namespace"], document["policy"], document["otherPolicies"]) == ("team-a", "team-*", ["*"])
    isolation = {"key": "isolation", "value": "UsernsMasked", "from": [f"{OUR_POLICY}isolation"]}
    assert isolation in document["settings"]
    assert document["build"]["pod"]["kind"] == "Pod"
    assert document["build"]["effective"]["policy"] == "team-*"
    assert not document["build"]["refused"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("builder: [", "is not YAML", id="not YAML"),
        pytest.param("builder: 2026-13-45", "is not YAML", id="a date that is none"),
        pytest.param(
            "builder: {image: a}\ntrsut: x", "trsut: there is no such key; did you mean trust?", id="an unknown key"
        ),
        pytest.param("", "has no builder", id="empty"),
        pytest.param("trust: Untrusted", "has no builder", id="a part of one"),
        pytest.param("- a", "file: ", id="not a mapping"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_told_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(Problem, match="the place") as raised:
        load(text, "the place")
    assert said in raised.value.message


RULE = {"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"]}


@pytest.mark.parametrize(
    ("rules", "name"),
    [
        pytest.param([{**RULE, "resourceNames": ["imagebuild-operator-5h9"]}], "imagebuild-operator-5h9", id="named"),
        pytest.param([{**RULE, "resourceNames": ["kube-root-ca.crt"]}], None, id="another one"),
        pytest.param([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}], None, id="everything"),
        pytest.param([RULE], None, id="all of them"),
        pytest.param([], None, id="nothing"),
    ],
)
def test_the_config_map_is_known_by_the_role_that_grants_it(rules: list[dict[str, Any]], name: str | None) -> None:
    assert named_by({"status": {"resourceRules": rules}}) == name


def test_what_a_policy_says_of_trust_is_explained_and_tried_with_all_that_follows_from_it() -> None:
    policy = {"match": "team-*", "trust": "Untrusted", "isolation": "Userns", "allow": {"secrets": ["npm*"]}}
    config = OperatorConfig.model_validate({**BUILDER, "namespaces": [policy]})
    origins = {each.key: each.origins for each in explain(config, "team-a").settings}
    assert origins["trust"] == (f"{OUR_POLICY}trust",)
    assert origins["pod.allow.secrets"] == (f"{OUR_POLICY}allow.secrets",)
    tried = trial({"metadata": {}, "spec": {**SPEC, "registrySecrets": []}}, "team-a", config, NOW)
    assert "spec.secrets: a build that is Untrusted" in (tried.status.message or "")
