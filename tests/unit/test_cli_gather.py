"""`imagebuild gather`: what is read, what is noted as missing, and the file that comes of it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from imagebuild.cli import bundle
from imagebuild.cli.gather import Gathered, gather
from imagebuild.cli.problem import ApiError
from imagebuild.cli.redact import Redaction

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HIDDEN = "hunter2-hunter2"
BUILDS = "/apis/imagebuild.dev/v1alpha1/namespaces/n/imagebuilds"
PODS = "/api/v1/namespaces/n/pods"
EVENTS = "/api/v1/namespaces/n/events"
DEPLOYMENT = "/apis/apps/v1/namespaces/sys/deployments/imagebuild-operator"
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/imagebuilds.imagebuild.dev"
SHOP = {
    "metadata": {"name": "shop", "annotations": {"note": f"{HIDDEN}, https://me:{HIDDEN}@example.com"}},
    "spec": {"args": {"X": HIDDEN}},
    "status": {"podName": "shop-1", "failure": {"logTail": f"it is {HIDDEN}"}},
}


def pod(name: str, minute: int = 0) -> dict[str, Any]:
    return {"metadata": {"name": name, "creationTimestamp": f"2026-11-24T12:{minute:02}:00Z"}}


def event(about: str) -> dict[str, Any]:
    return {"involvedObject": {"name": about}, "message": "Pulled"}


VOLUMES = [{"name": "config", "configMap": {"name": "config-abc"}}, {"name": "s", "secret": {"secretName": "login"}}]
CLUSTER: dict[str, Any] = {
    "/version": {"gitVersion": "v1.35.0"},
    CRD: {
        "metadata": {"name": "x"},
        "spec": {"versions": [{"name": "v1alpha1", "served": True, "schema": {"a": "b"}}]},
    },
    BUILDS: {"items": [SHOP]},
    f"{BUILDS}/shop": SHOP,
    PODS: {"items": [pod("shop-1"), pod("shop-2", 1)]},
    f"{PODS}/shop-1/log": f"token {HIDDEN}\n",
    f"{PODS}/shop-2/log": "imagebuild: Built\n",
    EVENTS: {"items": [event("shop"), event("shop-2"), event("other")]},
    DEPLOYMENT: {"spec": {"template": {"spec": {"volumes": VOLUMES}}}},
    "/api/v1/namespaces/sys/configmaps/config-abc": {"data": {"config.yaml": f"password: {HIDDEN}\n"}},
    "/api/v1/namespaces/sys/pods": {"items": [pod("operator-1")]},
    "/api/v1/namespaces/sys/pods/operator-1/log": "started\n",
}


class Server:
    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    def read(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        found = self._answer(path, query or {})
        assert isinstance(found, dict)
        return found

    def text(self, path: str, query: Mapping[str, str]) -> str:
        return str(self._answer(path, query))

    def _answer(self, path: str, query: Mapping[str, str]) -> Any:
        self.asked.append((path, query))
        found = self.answers.get(path, 404)
        if isinstance(found, int):
            raise ApiError(found, "refused")
        return found


ALL = [
    "builds/shop.yaml",
    "cluster/crd.yaml",
    "cluster/version.yaml",
    "events.yaml",
    "operator/config-abc.yaml",
    "operator/deployment.yaml",
    "operator/operator-1.log",
    "operator/operator-1.yaml",
    "pods/shop-1.log",
    "pods/shop-1.yaml",
    "pods/shop-2.log",
    "pods/shop-2.yaml",
]


def test_ten_pages_of_a_list_are_read_and_what_is_beyond_is_noted() -> None:
    endless = {"items": [event("shop")], "metadata": {"continue": "more"}}
    server = Server({**CLUSTER, EVENTS: endless})
    found = gather(server, "n", "shop", "sys")
    asked = [query for path, query in server.asked if path == EVENTS]
    assert [query.get("continue") for query in asked] == [None, *["more"] * 9]
    assert len(found.documents["events.yaml"]["items"]) == 10
    assert f"{EVENTS}: more than 5000, the others are left out" in found.missing


@pytest.mark.parametrize("name", ["shop", None])
def test_an_administrator_gathers_everything_about_a_build_or_a_namespace(name: str | None) -> None:
    server = Server(CLUSTER)
    found = gather(server, "n", name, "sys")
    assert sorted([*found.documents, *found.logs]) == ALL
    assert found.missing == []
    assert [each["involvedObject"]["name"] for each in found.documents["events.yaml"]["items"]] == ["shop", "shop-2"]
    selectors = [query.get("labelSelector") for path, query in server.asked if path == PODS]
    assert selectors == [
        "app.kubernetes.io/managed-by=imagebuild-operator" + (",imagebuild.dev/build=shop" if name else "")
    ]


def test_no_secret_is_ever_asked_for() -> None:
    server = Server(CLUSTER)
    gather(server, "n", None, "sys")
    assert not [path for path, _ in server.asked if "/secrets" in path]


def test_what_is_forbidden_or_not_there_is_noted_and_a_log_is_read_all_the_same() -> None:
    allowed = {path: CLUSTER[path] for path in (f"{BUILDS}/shop", f"{PODS}/shop-1/log")}
    found = gather(Server({**dict.fromkeys(CLUSTER, 403), DEPLOYMENT: 404, **allowed}), "n", "shop", "sys")
    assert sorted([*found.documents, *found.logs]) == ["builds/shop.yaml", "pods/shop-1.log"]
    assert found.missing == [
        "/version: forbidden",
        f"{CRD}: forbidden",
        f"{PODS}: forbidden",
        f"{EVENTS}: forbidden",
        f"{DEPLOYMENT}: not there",
        "/api/v1/namespaces/sys/pods: forbidden",
    ]


def test_a_server_that_does_not_answer_ends_it() -> None:
    with pytest.raises(ApiError):
        gather(Server({**CLUSTER, EVENTS: 0}), "n", "shop", "sys")


def test_logs_of_the_newest_pods_are_enough() -> None:
    many = {"items": [pod(f"shop-{minute}", minute) for minute in range(30)]}
    logs = {f"{PODS}/shop-{minute}/log": "x" for minute in range(30)}
    found = gather(Server({**CLUSTER, PODS: many, **logs}), "n", None, "sys")
    assert "pods/shop-29.log" in found.logs
    assert "pods/shop-9.log" not in found.logs
    assert found.missing == ["logs of 10 older pods: left out"]


def test_the_file_holds_no_secret_and_says_what_was_taken_out() -> None:
    made = bundle.files(gather(Server(CLUSTER), "n", "shop", "sys"), Redaction(), NOW, args=False)
    assert list(made) == sorted([*ALL, "README.txt", "missing.txt"])
    assert HIDDEN not in "".join(made.values())
    assert yaml.safe_load(made["builds/shop.yaml"])["spec"] == {"args": {"X": "REDACTED"}}
    assert "Values of spec.args are left out" in made["README.txt"]


def test_the_same_facts_make_the_same_file(tmp_path: Path) -> None:
    made = bundle.files(gather(Server(CLUSTER), "n", "shop", "sys"), Redaction(), NOW, args=False)
    packed = bundle.pack(made, NOW)
    assert packed == bundle.pack(made, NOW)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert tar.getnames() == [f"imagebuild-report/{name}" for name in made]
        log = tar.extractfile("imagebuild-report/pods/shop-2.log")
        assert log is not None
        assert log.read() == b"imagebuild: Built\n"
    file = tmp_path / "report.tar.gz"
    bundle.write(file, packed)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        bundle.write(file, packed)


def test_what_was_missing_is_a_file_even_when_nothing_was() -> None:
    assert bundle.files(Gathered(), Redaction(), NOW, args=False)["missing.txt"] == "Nothing.\n"
