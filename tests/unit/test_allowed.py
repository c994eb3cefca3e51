"""The administrator's lists of Secrets, of places to write to and of nodes, and that nothing a spec names is missed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import make
from imagebuild.api.config import OperatorConfig
from imagebuild.api.crd import crd
from imagebuild.api.imagebuild import parse
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.status import Run
from imagebuild.core.named import destinations, secrets
from imagebuild.core.pod import pod
from imagebuild.core.policy import refusal, within
from unit.world import World

SCHEMA = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
GIT = {"url": "https://git.example.com/a/b.git"}
HTTP = {"url": "https://example.com/a.tar.gz"}
EVERY_SECRET: dict[str, Any] = {
    "source": {"git": {**GIT, "secretRef": {"name": "s-git"}}},
    "contexts": [
        {"name": "plain", "image": "r.io/a:1"},
        {"name": "git", "git": {**GIT, "secretRef": {"name": "s-context-git"}}},
        {"name": "http", "http": {**HTTP, "secretRef": {"name": "s-context-http"}}},
    ],
    "secrets": [
        {"id": "one", "secretKeyRef": {"name": "s-one", "key": "a"}},
        {"id": "two", "secretKeyRef": {"name": "s-two", "key": "a"}},
    ],
    "ssh": [{"id": "default", "secretRef": {"name": "s-ssh"}}],
    "registrySecrets": [{"name": "s-registry"}],
    "cache": {"s3Credentials": {"name": "s-s3"}, "import": [{"s3": {"bucket": "b", "region": "r"}}]},
    "output": {"discard": True},
}
OF_HTTP = {"source": {"http": {**HTTP, "secretRef": {"name": "s-http"}}}}


def spec(**fields: Any) -> ImageBuildSpec:
    return ImageBuildSpec.model_validate({"output": {"discard": True}, **fields})


def told(written: dict[str, Any], namespace: str = "team-a", **given: Any) -> str:
    config: OperatorConfig = within(make.make_config(**given), namespace)
    return refusal(spec(**written), config, namespace)


def allowing(key: str, *patterns: str) -> dict[str, Any]:
    return {"pod": {"allow": {key: list(patterns)}}}


# --- Secrets


def fields_of_secrets(schema: Mapping[str, Any], path: str = "spec") -> Iterator[str]:
    """By what the reference says of their names."""
    for name, field in schema.get("properties", {}).items():
        if name == "name" and field.get("description", "").startswith("Of the Secret"):
            yield path
        yield from fields_of_secrets(field.get("items", field), f"{path}.{name}")


def test_the_secrets_of_every_field_that_the_crd_has_are_found() -> None:
    named = [*secrets(spec(**EVERY_SECRET)), *secrets(spec(**OF_HTTP))]
    assert {field for field, _ in named} == set(fields_of_secrets(SCHEMA))
    assert len(named) == 9


def test_no_other_secret_is_in_the_pod() -> None:
    build = parse(make.build_document(EVERY_SECRET))
    assert build.spec is not None
    made = pod(build, build.spec, Run(number=1, inputs_hash="0"), 1, make.make_config())
    mounted = {each["secret"]["secretName"] for each in made["spec"]["volumes"] if "secret" in each}
    assert mounted == {name for _, name in secrets(build.spec)}
    assert len(mounted) == 8


@pytest.mark.parametrize(("field", "name"), [*secrets(spec(**EVERY_SECRET)), *secrets(spec(**OF_HTTP))])
def test_one_that_is_not_listed_is_refused_wherever_it_is_named(field: str, name: str) -> None:
    written = OF_HTTP if name == "s-http" else EVERY_SECRET
    others = {each for _, each in secrets(spec(**written))} - {name}
    assert told(written, **allowing("secrets", *others)) == (
        f"{field}: {name} is not allowed: the administrator lists what is in pod.allow.secrets"
    )
    assert told(written, **allowing("secrets", "s-*")) == ""
    assert told(written) == "", "without a list any of the namespace is"


def test_secrets_of_the_administrators_own_need_no_line_in_the_list() -> None:
    proxy = {"https": "http://proxy.example.com:3128", "secretRef": {"name": "egress-proxy"}}
    assert told({}, **allowing("secrets"), proxy=proxy) == ""


# --- places to write to


IMAGES = {"output": {"images": ["r.io:5000/team-a/app:{commit}"]}}
OTHERS: dict[str, tuple[dict[str, Any], str, str]] = {
    "an image": ({"output": {"images": ["r.io/b/app:{branch}"]}}, "spec.output.images", "r.io/b/app"),
    "the second of two": (
        {"output": {"images": ["r.io:5000/team-a/app:1", "docker.io/b/app"]}},
        "spec.output.images",
        "docker.io/b/app",
    ),
    "the branch cache": (
        {"cache": {"branch": {"repository": "r.io/b/cache"}}},
        "spec.cache.branch.repository",
        "r.io/b/cache",
    ),
    "a cache": ({"cache": {"export": [{"registry": {"ref": "r.io/b:cache"}}]}}, "spec.cache.export", "r.io/b"),
    "a cache of Docker Hub": (
        {"cache": {"export": [{"registry": {"ref": "team-a/app:cache"}}]}},
        "spec.cache.export",
        "docker.io/team-a/app",
    ),
    "a bucket": ({"cache": {"export": [{"s3": {"bucket": "b", "region": "r"}}]}}, "spec.cache.export", "s3://b"),
    "a bucket elsewhere": (
        {"cache": {"export": [{"s3": {"bucket": "b", "region": "r", "endpointURL": "https://s3.example.com/"}}]}},
        "spec.cache.export",
        "https://s3.example.com/b",
    ),
    "a container of Azure": (
        {"cache": {"export": [{"azblob": {"accountURL": "https://a.blob.core.windows.net"}}]}},
        "spec.cache.export",
        "https://a.blob.core.windows.net/buildkit-cache",
    ),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_place_that_is_not_listed_is_refused(other: str) -> None:
    written, field, place = OTHERS[other]
    written = {**IMAGES, **written}
    assert told(written, **allowing("registries", "r.io:5000/team-a/*")) == (
        f"{field}: {place} is not allowed: the administrator lists what is in pod.allow.registries"
    )
    assert told(written, **allowing("registries", "r.io:5000/team-a/*", place)) == ""
    assert told(written) == "", "without a list any place is"


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(IMAGES, id="an image"),
        pytest.param({"output": {"discard": True}}, id="none"),
        pytest.param(
            {"cache": {"branch": {"repository": "r.io/b/c", "export": "Never"}}}, id="a cache that is read only"
        ),
        pytest.param({"cache": {"import": [{"registry": {"ref": "r.io/b:cache"}}]}}, id="a cache to read"),
        pytest.param({"cache": {"export": [{"inline": {}}]}}, id="a cache in the image"),
        pytest.param({"cache": {"export": [{"local": {"claimName": "c"}}]}}, id="a cache on a claim of the namespace"),
        pytest.param({"contexts": [{"name": "a", "image": "r.io/b:1"}]}, id="an image to read"),
    ],
)
def test_what_is_listed_and_what_is_only_read_is_allowed(written: dict[str, Any]) -> None:
    assert told({**IMAGES, **written}, **allowing("registries", "r.io:5000/team-a/*")) == ""


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        pytest.param("r.io:5000/team-a/app", True, id="itself"),
        pytest.param("r.io:5000/*", True, id="all below the host"),
        pytest.param("r.io:5000/team-a", False, id="what it is in"),
        pytest.param("r.io:5000/team-a/ap", False, id="its beginning"),
        pytest.param("r.io/*", False, id="another port"),
        pytest.param("*:5000/team-?/app", True, id="wildcards anywhere"),
    ],
)
def test_a_pattern_is_of_the_whole_repository(pattern: str, allowed: bool) -> None:
    assert (told(IMAGES, **allowing("registries", pattern)) == "") is allowed


def test_every_place_of_a_spec_is_named() -> None:
    caches = {"export": [{"registry": {"ref": "r.io/b:cache"}}], "branch": {"repository": "r.io/c"}}
    written = spec(output={"images": ["r.io/a:1", "docker.io/app"]}, cache=caches)
    assert [place for _, place in destinations(written)] == ["r.io/a", "docker.io/library/app", "r.io/c", "r.io/b"]


def test_a_build_that_is_not_trusted_may_read_the_cache_of_a_repository_that_it_may_not_write_to() -> None:
    written = {**make.SPEC, "cache": {"branch": {"repository": "r.io/shop"}}, "trust": "Untrusted"}
    world = World(written, isolation="Userns", **allowing("registries", "registry.example.com/*"))
    world.settle()
    assert len(world.created) == 1


# --- nodes

TOLERATION = {"key": "example.com/builds", "operator": "Exists"}


@pytest.mark.parametrize(
    ("key", "patterns", "pod_settings", "said"),
    [
        pytest.param("nodeSelector", ["pool=builds"], {"nodeSelector": {"pool": "builds"}}, "", id="a node"),
        pytest.param("nodeSelector", ["pool"], {"nodeSelector": {"pool": "any"}}, "", id="any value"),
        pytest.param(
            "nodeSelector",
            ["pool=b*"],
            {"nodeSelector": {"pool": "builds", "disk": "nvme"}},
            "spec.pod.nodeSelector: disk=nvme",
            id="one of two",
        ),
        pytest.param(
            "nodeSelector", [], {"nodeSelector": {"pool": "builds"}}, "spec.pod.nodeSelector: pool=builds", id="none"
        ),
        pytest.param("tolerations", ["example.com/*"], {"tolerations": [TOLERATION]}, "", id="a taint"),
        pytest.param(
            "tolerations",
            ["other"],
            {"tolerations": [TOLERATION]},
            "spec.pod.tolerations: example.com/builds",
            id="another taint",
        ),
        pytest.param(
            "tolerations",
            ["?*"],
            {"tolerations": [{"operator": "Exists"}]},
            "spec.pod.tolerations: every taint",
            id="all taints, where only those with a key are allowed",
        ),
        pytest.param("tolerations", ["*"], {"tolerations": [{"operator": "Exists"}]}, "", id="all taints"),
    ],
)
def test_nodes_are_chosen_from_the_list(key: str, patterns: list[str], pod_settings: dict[str, Any], said: str) -> None:
    tail = f" is not allowed: the administrator lists what is in pod.allow.{key}"
    assert told({"pod": pod_settings}, **allowing(key, *patterns)) == (said and said + tail)
    assert told({"pod": pod_settings}) == "", "without a list any are"


def test_affinity_is_allowed_or_not() -> None:
    written: dict[str, Any] = {"pod": {"affinity": {"nodeAffinity": {}}}}
    assert told(written, pod={"allow": {"affinity": False}}) == (
        "spec.pod.affinity: any is not allowed: the administrator says so in pod.allow.affinity"
    )
    assert told(written, pod={"allow": {"affinity": True}}) == ""
    assert told(written) == ""


# --- by namespace


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("secrets", {"registrySecrets": [{"name": "push"}]}),
        ("registries", IMAGES),
        ("nodeSelector", {"pod": {"nodeSelector": {"pool": "builds"}}}),
        ("tolerations", {"pod": {"tolerations": [TOLERATION]}}),
    ],
)
def test_a_namespaces_list_stands_instead_of_the_one_for_all_and_is_named(key: str, written: dict[str, Any]) -> None:
    policy = {"match": "team-*", "allow": {key: []}}
    assert told(written, **allowing(key, "*"), namespaces=[policy]).endswith(f" namespaces[team-*].allow.{key}")
    assert told(written, "other", **allowing(key, "*"), namespaces=[policy]) == ""
    assert told(written, **allowing(key), namespaces=[{"match": "team-*", "allow": {key: ["*"]}}]) == ""


def test_so_does_what_a_namespace_says_of_affinity() -> None:
    written: dict[str, Any] = {"pod": {"affinity": {}}}
    allow = {"allow": {"affinity": False}}
    assert told(written, namespaces=[{"match": "team-*", **allow}]).endswith(" namespaces[team-*].allow.affinity")
    assert told(written, pod=allow, namespaces=[{"match": "team-*", "allow": {"affinity": True}}]) == ""
