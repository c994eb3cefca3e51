"""The administrator's egress proxy: what may be written, where it is in force, and what of it is in a build pod."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

import make
from imagebuild.api.proxy import ProxyConfig
from imagebuild.contract import layout, plan
from imagebuild.core.policy import within
from imagebuild.core.proxy import proxy

FULL: dict[str, Any] = {
    "http": "http://proxy.example.com:3128",
    "https": "http://proxy.example.com:3129/",
    "noProxy": [".corp", "10.0.0.0/8"],
    "secretRef": {"name": "egress-proxy"},
}


@pytest.mark.parametrize(
    "written",
    [
        pytest.param({"http": "http://user:hunter2@proxy:3128"}, id="a password in the configuration"),
        pytest.param({"http": "proxy:3128"}, id="no scheme"),
        pytest.param({"https": "https://proxy:3128"}, id="TLS to the proxy"),
        pytest.param({"http": "http://proxy"}, id="no port"),
        pytest.param({"http": "http://proxy:99999"}, id="a port that there is not"),
        pytest.param({"http": "http://proxy:3128/path"}, id="a path"),
        pytest.param({"noProxy": ["a,b"]}, id="two rules in one"),
        pytest.param({"noProxy": ["http://a"]}, id="a URL as a rule"),
        pytest.param({"noProxy": ["10.0.0.0/99"]}, id="no network"),
        pytest.param({"password": "x"}, id="a key that does not exist"),
    ],
)
def test_what_is_no_proxy_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ProxyConfig.model_validate(written)


def test_the_pod_has_the_secret_and_the_plan_has_only_its_name() -> None:
    part = proxy(make.make_config(proxy=FULL))
    assert part.plan["proxy"] == plan.Proxy(
        http="proxy.example.com:3128",
        https="proxy.example.com:3129",
        direct=(".corp", "10.0.0.0/8"),
        secret=plan.Mount(name="egress-proxy", path=layout.PROXY_SECRET_DIR),
    )
    (volume,) = part.volumes
    assert volume["secret"]["secretName"] == "egress-proxy"
    assert volume["secret"]["optional"], "a missing one is named by the runner and waited for"


def test_without_a_secret_nothing_is_mounted_and_without_an_address_nothing_is_said() -> None:
    assert not proxy(make.make_config(proxy={"http": "http://p:1"})).volumes
    assert not proxy(make.make_config(proxy={"noProxy": ["*"]})).plan


@pytest.mark.parametrize(
    ("namespace", "address"),
    [("other", "http://all:1"), ("team-a", "http://theirs:1"), ("lab", None)],
    ids=["the one for all", "the namespace's own", "none for a namespace"],
)
def test_a_namespace_may_have_another_one_or_none(namespace: str, address: str | None) -> None:
    theirs = [{"match": "team-*", "proxy": {"http": "http://theirs:1"}}, {"match": "lab", "proxy": {}}]
    config = make.make_config(proxy={"http": "http://all:1"}, namespaces=theirs)
    assert within(config, namespace).proxy.http == address


def test_the_configuration_says_by_json_what_a_person_writes() -> None:
    assert json.loads(ProxyConfig.model_validate(FULL).model_dump_json(by_alias=True))["noProxy"] == FULL["noProxy"]
