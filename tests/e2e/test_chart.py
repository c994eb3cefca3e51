"""manifests/chart by Helm itself: its objects are those of kustomize, and what it cannot be asked it says.

What is rendered is compared, and the API server takes it in a dry run. What is installed is in a namespace of its own, and
runs no pod: others use the cluster.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import secrets
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from documents import blocks
from localcluster import gobuild, pins, places
from testbed.deploy import NAMESPACE, image
from testbed.kubectl import Document, Kubectl
from testbed.place import ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.thorough, pytest.mark.xdist_group("chart")]

CHART = ROOT / "manifests" / "chart"
OPERATOR = f"registry.example.com:5000/imagebuild/operator@sha256:{'0' * 64}"
BUILDER = f"registry.example.com:5000/imagebuild/builder@sha256:{'1' * 64}"
CONFIG = {"isolation": "Userns", "limits": {"running": 1234567}, "cacheVolumes": {"allowed": True}}
VALUES = {"operator": {"image": OPERATOR}, "builder": {"image": BUILDER}, "config": CONFIG}
SWITCHES = {
    "nothing": [],
    "operatorBounds": ["operator-bounds"],
    "requesterRights": ["requester-rights"],
    "cacheVolumes": ["cache-volumes"],
    "monitoring": ["monitoring"],
}
RELEASE_LIMIT = 1024 * 1024
"""Of a Secret; Helm keeps the chart and all that it has rendered in one."""

Key = tuple[str, str, str]
Objects = dict[Key, Document]


@pytest.fixture(scope="module")
def helm() -> Path:
    return gobuild.binary(pins.load(), places.find().cache, "helm")


class Chart:
    def __init__(self, helm: Path, directory: Path, namespace: str = NAMESPACE) -> None:
        self._helm, self._directory, self._namespace = helm, directory, namespace

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._helm, *words, "--namespace", self._namespace],
            env={**os.environ, "HELM_CONFIG_HOME": str(self._directory), "HELM_CACHE_HOME": str(self._directory)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def values(self, **values: Any) -> str:
        file = self._directory / "values.json"
        file.write_text(json.dumps({**VALUES, **values}))
        return f"--values={file}"

    def _template(self, **values: Any) -> subprocess.CompletedProcess[str]:
        return self.run("template", "imagebuild", str(CHART), self.values(**values))

    def text(self, **values: Any) -> str:
        done = self._template(**values)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def renders(self, **values: Any) -> Objects:
        return by_name(yaml.safe_load_all(self.text(**values)))

    def refuses(self, **values: Any) -> str:
        done = self._template(**values)
        assert done.returncode != 0
        return done.stderr


@pytest.fixture
def chart(helm: Path, tmp_path: Path) -> Chart:
    return Chart(helm, tmp_path)


Kustomized = Callable[..., Objects]


@pytest.fixture
def kustomized(kubectl: Kubectl, tmp_path: Path) -> Kustomized:
    """An overlay of a user's, with the same images and configuration."""
    (tmp_path / "config.yaml").write_text(json.dumps({"builder": {"image": BUILDER}, **CONFIG}))

    def render(*resources: str, components: Iterable[str] = ()) -> Objects:
        overlay = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": NAMESPACE,
            "resources": [os.path.relpath(ROOT / path, tmp_path) for path in resources],
            "components": [os.path.relpath(ROOT / "manifests" / path, tmp_path) for path in components],
            "images": [image("imagebuild-operator", OPERATOR), image("imagebuild-builder", BUILDER)],
            "configMapGenerator": [
                {
                    "name": "imagebuild-operator",
                    "namespace": NAMESPACE,
                    "behavior": "replace",
                    "files": ["config.yaml"],
                    "options": {"disableNameSuffixHash": True},
                }
            ],
            "patches": bounds_of_builder() if "components/operator-bounds" in components else [],
        }
        if "manifests" in resources or "manifests/seccomp" in resources:
            del overlay["namespace"]  # there are two
        (tmp_path / "kustomization.yaml").write_text(json.dumps(overlay))
        made = by_name(yaml.safe_load_all(kubectl("kustomize", str(tmp_path))))
        made.pop(("Namespace", "", NAMESPACE), None)  # Helm makes it, by --create-namespace
        return made

    return render


def bounds_of_builder() -> list[dict[str, Any]]:
    expression = {"op": "replace", "path": "/spec/variables/0/expression", "value": json.dumps(BUILDER)}
    target = {"kind": "ValidatingAdmissionPolicy", "name": "imagebuild-operator-bounds$"}
    return [{"target": target, "patch": json.dumps([expression])}]


def by_name(documents: Iterable[Document]) -> Objects:
    """All kinds and fields; the configuration as what it says, and the CRD without the word that Helm keeps it."""
    found: Objects = {}
    for document in filter(None, documents):
        metadata = document["metadata"]
        key = (document["kind"], metadata.get("namespace", ""), metadata["name"])
        assert key not in found
        if "config.yaml" in document.get("data", {}):
            document["data"]["config.yaml"] = yaml.safe_load(document["data"]["config.yaml"])
        if document["kind"] == "CustomResourceDefinition":
            metadata.get("annotations", {}).pop("helm.sh/resource-policy", None)
            metadata["annotations"] = metadata.get("annotations", {})
        found[key] = document
    return found


@pytest.mark.parametrize("switch", SWITCHES)
def test_the_objects_are_those_of_kustomize_with_each_component(
    chart: Chart, kustomized: Kustomized, switch: str
) -> None:
    values = {} if switch == "nothing" else {switch: {"enabled": True}}
    made = kustomized("manifests", components=[f"components/{name}" for name in SWITCHES[switch]])
    assert len(made) > 15
    assert chart.renders(**values) == made


def test_without_the_daemonset_they_are_those_of_the_other_directories(chart: Chart, kustomized: Kustomized) -> None:
    assert chart.renders(seccomp={"enabled": False}) == kustomized("crds", "manifests/operator")


def test_without_the_crd_there_is_nothing_else_missing(chart: Chart) -> None:
    missing = chart.renders().keys() - chart.renders(crd={"enabled": False}).keys()
    assert missing == {("CustomResourceDefinition", "", "imagebuilds.imagebuild.dev")}


def test_in_its_own_namespace_only_they_are_those_of_the_namespaced_directory(
    chart: Chart, kustomized: Kustomized
) -> None:
    made = kustomized("manifests/namespaced", components=["namespaced/cache-volumes"])
    pod = made["Deployment", NAMESPACE, "imagebuild-operator"]["spec"]["template"]["spec"]["containers"][0]
    del pod["env"]  # where kustomize has the pod say in which namespace it is, Helm knows
    pod["args"] = [word.replace("$(NAMESPACE)", NAMESPACE) for word in pod["args"]]
    assert chart.renders(namespaces=[NAMESPACE], cacheVolumes={"enabled": True}) == made


def test_in_several_namespaces_each_has_a_role_and_the_operator_is_given_them(chart: Chart) -> None:
    made = chart.renders(namespaces=["shop-builds", "shop-tests"])
    for name in ("shop-builds", "shop-tests"):
        binding = made["RoleBinding", name, "imagebuild-operator-builds"]
        assert binding["subjects"][0]["namespace"] == NAMESPACE
        assert made["Role", name, "imagebuild-operator-builds"]["rules"]
    pod = made["Deployment", NAMESPACE, "imagebuild-operator"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["args"][1:] == ["--namespace=shop-builds", "--namespace=shop-tests"]
    assert {key for key in made if not key[1]} == set()


def test_what_the_values_say_of_the_pods_is_in_them(chart: Chart) -> None:
    place = {
        "imagePullSecrets": [{"name": "registry"}],
        "nodeSelector": {"pool": "1"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
    }
    resources = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
    more = {"image": OPERATOR, "replicas": 3, "resources": resources, **place}
    made = chart.renders(operator=more, seccomp=place)
    deployment = made["Deployment", NAMESPACE, "imagebuild-operator"]["spec"]
    daemons = made["DaemonSet", "imagebuild-seccomp", "imagebuild-seccomp"]["spec"]
    assert deployment["replicas"] == 3
    assert deployment["template"]["spec"]["containers"][0]["resources"] == resources
    for workload in (deployment, daemons):
        assert workload["template"]["spec"].items() >= place.items()


def test_in_another_namespace_nothing_names_the_usual_one(helm: Path, tmp_path: Path) -> None:
    values = {each: {"enabled": True} for each in SWITCHES if each != "nothing"}
    text = Chart(helm, tmp_path, "elsewhere").text(**values)
    assert NAMESPACE not in text
    assert "system:serviceaccount:elsewhere:imagebuild-operator" in text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param({"operator": {"image": ""}}, "operator.image is missing", id="no image of the operator"),
        pytest.param({"builder": {}}, "builder.image is missing", id="no image of the builder"),
        pytest.param(
            {"operator": {"image": OPERATOR, "replica": 1}},
            "at '/operator': additional properties 'replica' not allowed",
            id="a key that there is not",
        ),
        pytest.param({"limits": {}}, "additional properties 'limits' not allowed", id="configuration at the top"),
        pytest.param({"monitoring": {"enabled": "yes"}}, "at '/monitoring/enabled': got string, want boolean", id="a word"),
        pytest.param({"namespaces": ["team-*"]}, "at '/namespaces/0': 'team-*' does not match pattern", id="a pattern"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_a_sentence(chart: Chart, values: dict[str, Any], said: str) -> None:
    assert said in chart.refuses(**values)


def test_helm_lint_has_nothing_against_it(chart: Chart) -> None:
    done = chart.run("lint", "--strict", str(CHART), chart.values())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 chart(s) failed" in done.stdout


def test_the_crd_stays_when_the_release_goes(chart: Chart) -> None:
    (crd,) = (each for each in yaml.safe_load_all(chart.text()) if each and each["kind"] == "CustomResourceDefinition")
    assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_a_release_fits_into_its_secret_many_times(chart: Chart) -> None:
    """Helm keeps the chart's files in base64 and what they became, all of it compressed and in base64."""
    files = [base64.b64encode(path.read_bytes()).decode() for path in CHART.rglob("*") if path.is_file()]
    kept = gzip.compress(json.dumps({"chart": files, "manifest": chart.text()}).encode())
    assert len(base64.b64encode(base64.b64encode(kept))) < RELEASE_LIMIT / 3


def test_it_is_installed_changed_and_removed(helm: Path, kubectl: Kubectl, tmp_path: Path) -> None:
    name = f"e2e-chart-{secrets.token_hex(3)}"
    chart, here = Chart(helm, tmp_path, name), kubectl.within(name)
    where = ("--kubeconfig", kubectl.place.kubeconfig)
    try:
        for mode in ("Rootless", "UsernsMasked"):
            values = chart.values(
                namespaces=[name], operator={"image": OPERATOR, "replicas": 0}, config={"isolation": mode}
            )
            done = chart.run("upgrade", "--install", "imagebuild", str(CHART), "--create-namespace", *where, values)
            assert done.returncode == 0, done.stderr
            config = here.get("configmap", "imagebuild-operator")["data"]["config.yaml"]
            assert yaml.safe_load(config) == {"builder": {"image": BUILDER}, "isolation": mode}
        assert here.get("deployment", "imagebuild-operator")["spec"]["replicas"] == 0
        kinds, ours = "deployments,configmaps,roles,rolebindings", "--selector=app.kubernetes.io/managed-by=Helm"
        assert {each["kind"] for each in here.items(kinds, ours)} == {"Deployment", "ConfigMap", "Role", "RoleBinding"}
        assert chart.run("uninstall", "imagebuild", "--wait", *where).returncode == 0
        assert here.items(kinds, ours) == []
    finally:
        kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")


@pytest.mark.usefixtures("operator")  # its namespaces are there: a dry run makes none
def test_the_api_server_takes_all_of_it(chart: Chart, kubectl: Kubectl) -> None:
    text = chart.text(**{each: {"enabled": True} for each in ("operatorBounds", "requesterRights", "cacheVolumes")})
    taken = kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", stdin=text)
    assert len(taken.splitlines()) == len(by_name(yaml.safe_load_all(text)))


def test_what_the_documents_say_to_type_renders(helm: Path, tmp_path: Path) -> None:
    """As the reader types it, but that nothing is installed."""
    (tmp_path / "imagebuild").symlink_to(ROOT)
    (tmp_path / "values.yaml").write_text(json.dumps(VALUES))
    typed = [block for block in blocks(ROOT / "docs" / "install.md") if block.info == "sh helm"]
    for block in typed:
        script = f'helm() {{ shift 2; "{helm}" template "$@"; }}\n{block.text}'
        words = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
        assert "kind: Deployment" in done.stdout
    assert typed
