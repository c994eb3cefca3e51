"""The seccomp profile on a node: enough for a build in each isolation mode, and each call in it beyond the default needed.

One pod for each mode, made by the operator's code, with a container for each profile: the whole one, which is put onto
the node as docs/install.md says, and those without one of the calls.
"""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
import yaml

from documents import ROOT, blocks
from e2e.conftest import BASELINE
from e2e.test_secrets import KEY, secret
from generator import seccomp
from hostile import MODES
from imagebuild.api.config import OperatorConfig
from imagebuild.api.status import Run
from imagebuild.contract import layout
from imagebuild.core.pod import pod
from imagebuild.core.run import inputs_hash
from imagebuild.core.seccomp import PROFILE
from localcluster import gobuild, pins, places
from make import make_build
from testbed.deploy import operator_config
from testbed.kubectl import Document, Kubectl, KubectlError, until
from testbed.server import ready

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("seccomp")]

WHOLE = "whole"
PROFILES = (WHOLE, *(call.name for call in seccomp.ADDED))
ROOT_OF_PROFILES = "/var/lib/kubelet/seccomp"
SECCOMP = ROOT / "manifests" / "seccomp"
USES_EVERYTHING = """\
FROM busybox:1.37 AS one
RUN echo one > /one
FROM busybox:1.37
WORKDIR /work
COPY --from=one --chown=12:34 /one /one
RUN --mount=type=cache,target=/cache --mount=type=secret,id=token --mount=type=ssh --mount=type=tmpfs,target=/tmpfs \\
    --mount=type=bind,from=one,target=/bound \\
    test -s /run/secrets/token && touch /cache/a /tmpfs/b && test -S "$SSH_AUTH_SOCK" && test -e /bound/one && hostname
RUN <<END
    rm /one
    mkdir /a && mv /a /b && ln -s b /c
    nslookup registry.invalid
    true
END
RUN --network=none true
USER 65534
RUN id -u
"""
Ended = dict[str, Document]
"""What became of the containers, by name."""


def node_step() -> str:
    (step,) = (block.text for block in blocks(ROOT / "docs" / "install.md") if block.info == "sh node")
    return step


def on_node(image: str, directory: str) -> list[Document]:
    """A pod that has a directory of the node in the place of the kubelet's."""
    files = {f"without-{call.name}.json": json.dumps(seccomp.profile(call.name)) for call in seccomp.ADDED}
    files["profile.json"] = (SECCOMP / "profile.json").read_text()
    container = {
        "name": "node",
        "image": image,
        "command": ["sleep", "3600"],
        "workingDir": "/profiles",
        "securityContext": {"runAsUser": 0, "runAsGroup": 0},
        "volumeMounts": [
            {"name": "profiles", "mountPath": "/profiles"},
            {"name": "kubelet", "mountPath": ROOT_OF_PROFILES, "subPath": directory},
            {"name": "kubelet", "mountPath": "/all"},
        ],
    }
    volumes = [
        {"name": "profiles", "configMap": {"name": "profiles"}},
        {"name": "kubelet", "hostPath": {"path": ROOT_OF_PROFILES, "type": "DirectoryOrCreate"}},
    ]
    spec = {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 0}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "profiles"}, "data": files},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "node"}, "spec": spec},
    ]


@pytest.fixture(scope="module")
def node(operator: None, kubectl: Kubectl) -> Iterator[tuple[str, str]]:
    """The name of a node, and of the directory below the kubelet's in which it has the profiles."""
    name = f"e2e-seccomp-{secrets.token_hex(3)}"  # without a Pod Security level: those forbid paths of the node
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    here = kubectl.within(name)
    try:
        here.apply(*on_node(kubectl.place.builder_image, name))
        ready(here, "node")
        script = f"{node_step()}\ncp without-*.json {ROOT_OF_PROFILES}"
        here("exec", "node", "--", "sh", "-euc", script)
        yield here.get("pod", "node")["spec"]["nodeName"], name
    finally:
        here("exec", "node", "--", "rm", "-r", f"/all/{name}")
        kubectl("delete", "namespace", name, "--wait=false")


def build_pod(kubectl: Kubectl, mode: str, node: tuple[str, str]) -> Document:
    config = OperatorConfig.model_validate({**operator_config(kubectl.place), "namespaces": [], "isolation": mode})
    build = make_build(
        {
            "dockerfile": {"inline": USES_EVERYTHING},
            "output": {"discard": True},
            "secrets": [{"id": "token", "secretKeyRef": {"name": "values", "key": "token"}}],
            "ssh": [{"id": "default", "secretRef": {"name": "deploy-key"}}],
            "pod": {"resources": {"requests": {"cpu": "1m", "memory": "16Mi", "ephemeral-storage": "1Mi"}}},
        },
        namespace=kubectl.namespace,
    )
    assert build.spec is not None, build.problem
    made = pod(build, build.spec, Run(number=1, inputs_hash=inputs_hash(build.inputs)), 1, config)
    kept = {key: value for key, value in made["metadata"].items() if key == "annotations"}
    return {**made, "metadata": {**kept, "name": "build"}, "spec": _side_by_side(made["spec"], *node)}


def _side_by_side(spec: Document, node: str, directory: str) -> Document:
    """One container for each profile, each with a place of its own to work in."""
    (one,), own = spec["containers"], {"work", "tmp"}
    containers: list[Document] = []
    volumes = [volume for volume in spec["volumes"] if volume["name"] not in own]
    for name in PROFILES:
        container: dict[str, Any] = deepcopy(one)
        path = PROFILE if name == WHOLE else f"without-{name}.json"
        container["name"] = name.replace("_", "-")
        container["securityContext"]["seccompProfile"]["localhostProfile"] = f"{directory}/{path}"
        for mount in container["volumeMounts"]:
            if mount["name"] in own:
                mount["name"] += f"-{container['name']}"
        volumes += [{"name": f"{each}-{container['name']}", "emptyDir": {}} for each in sorted(own)]
        containers.append(container)
    return {**spec, "nodeName": node, "containers": containers, "volumes": volumes}


@pytest.fixture(scope="module")
def builds(kubectl: Kubectl, node: tuple[str, str]) -> Iterator[dict[str, Ended]]:
    kind = "OPENSSH " + "PRIVATE KEY"  # in two words, so that no scanner takes this file for a leak
    key = f"-----BEGIN {kind}-----\n{KEY}-----END {kind}-----\n".encode()
    namespaces = {mode: kubectl.within(f"{node[1]}-{mode.lower()}") for mode in MODES}
    for mode, here in namespaces.items():
        metadata = {"name": here.namespace, "labels": BASELINE}
        kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        here.apply(
            secret("values", {"token": b"secret"}),
            secret("deploy-key", {"ssh-privatekey": key}, "kubernetes.io/ssh-auth"),
        )
        here.create(build_pod(here, mode, node))
    yield {
        mode: until(f"the builds in {mode}", partial(_ended, here), seconds=300) for mode, here in namespaces.items()
    }
    for here in namespaces.values():
        kubectl("delete", "namespace", here.namespace, "--wait=false")


def _ended(kubectl: Kubectl) -> Ended:
    status = kubectl.get("pod", "build")["status"]
    states = status.get("containerStatuses", [])
    ended = {each["name"].replace("-", "_"): each["state"].get("terminated") for each in states}
    return ended if ended and all(ended.values()) else {}


EACH_MODE = pytest.mark.parametrize("mode", MODES)


@EACH_MODE
def test_a_build_that_uses_everything_has_all_calls_that_it_needs(builds: dict[str, Ended], mode: str) -> None:
    ended = builds[mode][WHOLE]
    assert ended["exitCode"] == 0, ended["message"]


@EACH_MODE
@pytest.mark.parametrize("call", seccomp.ADDED, ids=lambda call: call.name)
def test_a_build_without_a_call_fails_and_says_where(builds: dict[str, Ended], call: seccomp.Call, mode: str) -> None:
    ended = builds[mode][call.name]
    assert ended["exitCode"] == layout.EXIT_FAILED
    result = json.loads(ended["message"].splitlines()[0])
    assert result["reason"] == call.reason, result
    assert call.says in result["message"]


def test_the_default_that_the_profile_begins_with_is_containerds() -> None:
    source = seccomp.DEFAULT.parent
    program = gobuild.ours(pins.load(), places.find().cache, "seccomp", source, "the program that prints a profile")
    printed = subprocess.run([program], capture_output=True, check=True, timeout=60).stdout
    assert printed == seccomp.DEFAULT.read_bytes(), "run hack/generate --seccomp"


def test_the_apparmor_profile_is_containerds_with_two_rules_changed() -> None:
    """That of a container whose engine is confined by no profile of its own."""
    source = gobuild.module_directory(pins.load(), places.find().cache, pins.load().programs["containerd"])
    template = (source / "contrib" / "apparmor" / "template.go").read_text()
    theirs = _rules(template[template.index("profile {{.Name}}") : template.index("}\n`")])
    ours = _rules((ROOT / "manifests" / "apparmor" / "imagebuild-builder").read_text().partition("\nprofile ")[2])
    assert sorted(ours - theirs) == ["mount,", "pivot_root,"]
    assert theirs - ours == {"deny mount,"}


def _rules(profile: str) -> set[str]:
    """Without the line with the name, comments, what is included, and what a template has for other hosts."""
    lines = (
        line.split("  #")[0].strip() for line in profile.replace("{{.Name}}", "imagebuild-builder").splitlines()[1:]
    )
    return {line for line in lines if line and "{{" not in line and not line.startswith("# ") and line != "}"}


def test_the_security_profiles_operator_takes_its_object(kubectl: Kubectl) -> None:
    """By the schema of its release, in a group of the test's own: a cluster may have it."""
    source = gobuild.module_directory(pins.load(), places.find().cache, pins.load().programs["seccompprofile"])
    schema = (source / "deploy" / "base-crds" / "crds" / "seccompprofile.yaml").read_text()
    group = f"spo-{secrets.token_hex(3)}.imagebuild.test"
    definition = yaml.safe_load(schema.replace("security-profiles-operator.x-k8s.io", group))
    made = yaml.safe_load((SECCOMP / "security-profiles-operator.yaml").read_text())
    made["apiVersion"] = made["apiVersion"].replace("security-profiles-operator.x-k8s.io", group)
    kubectl.apply(definition)
    try:
        kubectl("wait", "--for=condition=Established", f"crd/{definition['metadata']['name']}", "--timeout=30s")
        until("the kind to be served", lambda: not _refused(kubectl, made))
        assert "Unsupported value" in _refused(kubectl, {**made, "spec": {**made["spec"], "defaultAction": "NO"}})
    finally:
        kubectl("delete", "crd", definition["metadata"]["name"], "--wait=false")


def _refused(kubectl: Kubectl, document: Document) -> str:
    try:
        kubectl.create(document, "--dry-run=server", "--validate=strict")
    except KubectlError as error:
        return str(error)
    return ""
